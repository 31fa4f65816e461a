# What the scripts in this folder share: a Postfix of their own, beside that of the system.
# shellcheck shell=bash

source "$(dirname "${BASH_SOURCE[0]}")/../start_and_stop.sh"
PATH="$PATH:/usr/sbin:/sbin"

# new_postfix NAME: make the folders and the configuration of a Postfix.  It listens on a free port
# of 127.0.0.1; the variable NAME_port has the port.
new_postfix() {
  local name="$1" home="$folder/$1" port
  if ! command -v postfix >/dev/null; then
    echo "Postfix is not installed. On Debian and Ubuntu: apt-get install postfix" >&2
    exit 2
  fi
  mkdir -p "$home/etc" "$home/queue" "$home/data"
  chown postfix "$home/data"
  port="$(free_port)"
  printf -v "${name}_port" %s "$port"

  # main.cf has the settings; "man 5 postconf" explains each of them.
  cat >"$home/etc/main.cf" <<END
compatibility_level = 3.6
# All files are in our folder, also the log.
queue_directory = $home/queue
data_directory = $home/data
maillog_file = $folder/$name.log
maillog_file_prefixes = $folder
# Its name, which the greeting and the Received fields show.
myhostname = $name.example.com
# It listens on this machine only, and takes mail for other domains from this machine only.
inet_interfaces = $host
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
# The users of this machine get no mail from it.
mydestination =
alias_maps =
biff = no
# It looks nothing up in DNS.
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtpd_peername_lookup = no
END

  # master.cf lists the programs of Postfix.  We take the file of the package, replace port 25,
  # and run all programs without chroot, because our folder has no copies of system files.
  cp "$(postconf -dh meta_directory)/master.cf.proto" "$home/etc/master.cf"
  postconf -c "$home/etc" -MX smtp/inet
  listen_postfix "$name" "$port"
  postconf -c "$home/etc" -F '*/*/chroot = n'
}

# set_postfix NAME "setting = value"...: add to main.cf; a line with # is a comment.
set_postfix() {
  local file="$folder/$1/etc/main.cf"
  shift
  printf '%s\n' "$@" >>"$file"
}

# listen_postfix NAME PORT [-o setting=value]...: add a port to master.cf.
listen_postfix() {
  local etc="$folder/$1/etc" service="$host:$2"
  shift 2
  postconf -c "$etc" -Me "$service/inet = $service inet n - n - - smtpd $*"
}

# accounts NAME DOMAIN USER...: mailboxes in Postfix itself, as Maildirs in $folder/mailboxes.  These
# are virtual mailboxes: the users need no account on this machine.
accounts() {
  local name="$1" domain="$2" user
  shift 2
  mkdir -p "$folder/mailboxes"
  chown nobody "$folder/mailboxes"
  for user in "$@"; do echo "$user@$domain $user/"; done >"$folder/$name/etc/mailboxes"
  set_postfix "$name" \
    "# The domain that this Postfix is responsible for, and its mailboxes." \
    "virtual_mailbox_domains = $domain" \
    "virtual_mailbox_base = $folder/mailboxes" \
    "virtual_mailbox_maps = texthash:$folder/$name/etc/mailboxes" \
    "# The user who owns the files of all mailboxes: nobody." \
    "virtual_uid_maps = static:$(id -u nobody)" \
    "virtual_gid_maps = static:$(id -g nobody)"
}

# start_postfix NAME: start it; it is stopped at the end.
start_postfix() {
  local etc="$folder/$1/etc" port="${1}_port"
  if ! postfix -c "$etc" start; then
    echo "Can the user postfix enter $folder? Every folder above it needs mode 755." >&2
    return 1
  fi
  at_end+=("postfix -c '$etc' stop")
  wait_for_port "${!port}"
}

# queue NAME: print the messages that wait; whether one waits for another attempt.
queue() { postqueue -c "$folder/$1/etc" -p; }
is_deferred() { postqueue -c "$folder/$1/etc" -j | grep -q '"queue_name": "deferred"'; }

# log NAME [PATTERN]: print lines of the log, without time and process.
log() { grep -E "${2:-.}" "$folder/$1.log" | sed -E 's/^.* postfix\/([a-z]+)\[[0-9]+\]: /\1: /'; }

# have_left COUNT NAME: whether so many messages have left the queue; the log says so last.
have_left() { [ "$(log "$2" ': removed$' | wc -l)" -ge "$1" ]; }
