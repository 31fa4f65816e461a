"""The settings of the site: `make site` builds it with Sphinx into build/site."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from smtpproto import __version__

project = "smtpproto"
author = copyright = "The smtpproto authors"  # noqa: A001  # Sphinx wants this name
version = release = __version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinxcontrib.mermaid",
    "docs._sphinx.docstrings",
    "docs._sphinx.pages",
]
exclude_patterns = ["_sphinx", "changes"]

html_theme = "furo"
html_title = f"smtpproto {version}"
html_copy_source = False
html_show_sphinx = False
html_static_path = ["_sphinx/static"]
html_css_files = ["site.css"]

# Links to headings as code hosts make them; a fenced `mermaid` block is a drawing, as there.
myst_heading_anchors = 4
myst_fence_as_directive = ["mermaid"]
# What `_sphinx.pages` makes of links to files that are no pages.
myst_url_schemes = {"http": None, "https": None, "mailto": None, "source": {"url": "{{path}}"}}

mermaid_height = "auto"

default_role = "name"
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
autodoc_default_options = {
    "members": True,
    # Where a class inherits from one that is not public, or from a collection, its users see one.
    "inherited-members": "Exception,BaseException,Enum,IntEnum,str,int,tuple,dict,Command,"
    "Parameter,Extension,Mechanism,Protocol,object",
}
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
