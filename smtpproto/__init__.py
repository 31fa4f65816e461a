"""A sans-I/O implementation of SMTP for both roles."""

__version__ = "0.1.0"
