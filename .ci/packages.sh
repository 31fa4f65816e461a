# Debian packages, for the scripts that source this file.

export DEBIAN_FRONTEND=noninteractive
updated=

# The lists of packages, once a run of the script.
update_packages() {
  [ -z "$updated" ] || return 0
  apt-get -qq update
  updated=yes
}

# install_packages PACKAGE...: none is no error.
install_packages() {
  [ $# -gt 0 ] || return 0
  update_packages
  apt-get -qq install --yes --no-install-recommends "$@" </dev/null
}
