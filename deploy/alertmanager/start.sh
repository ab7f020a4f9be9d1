#!/bin/sh
# Fills the addresses of the environment into a copy of alertmanager.yml, then becomes the rest of its arguments. The
# image has no envsubst; and one address that is missing must be told by its name, not as "unsupported scheme".
# start.sh TEMPLATE COPY COMMAND…
set -eu
umask 077
template=$1 copy=$2
shift 2
awk '
  {
    rest = $0
    line = ""
    while (match(rest, /\$\{[A-Z_]+\}/)) {
      name = substr(rest, RSTART + 2, RLENGTH - 3)
      value = ENVIRON[name]
      if (value == "") missing = missing " " name
      # The placeholders stand in single quotes, where YAML wants each of them twice.
      gsub(/\047/, "\047\047", value)
      line = line substr(rest, 1, RSTART - 1) value
      rest = substr(rest, RSTART + RLENGTH)
    }
    print line rest
  }
  END {
    if (missing == "") exit 0
    # Not /dev/stderr: a user who is not root cannot always open it again.
    print "Cannot start Alertmanager: nobody would be told, as these are not set:" missing | "cat >&2"
    close("cat >&2")
    exit 1
  }
' "$template" > "$copy"
exec "$@"
