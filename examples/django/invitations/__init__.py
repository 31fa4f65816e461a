"""A site that invites people by mail."""
