#!/bin/sh
# Puts a finished segment of PostgreSQL's write-ahead log into an archive, and gets it back:
#
#     archive-wal.sh put FOLDER PATH NAME [gzip]     archive_command = '… put FOLDER %p %f gzip'
#     archive-wal.sh get FOLDER NAME PATH            restore_command = '… get FOLDER %f %p'
#
# PostgreSQL deletes its own segment once `put` has ended with 0. So by then the copy is whole, on the disk
# and under its name: it is written under another name, synced, linked to its own name, which takes no name
# that is there, and the folder is synced. A segment that is there already is done when it is the same, as
# after a crash between two steps, and is never replaced when it is another: two servers would share one
# archive then. Whatever fails ends with 1; PostgreSQL keeps the segment and asks again.
#
# `get` ends with 1 for a segment that is not there, which PostgreSQL takes for the archive's end. All else that
# goes wrong ends with 200, which ends the recovery: a folder that can't be read must not pass for its end.
#
# A shell script, because it runs for each segment and as the server's user, who may reach nothing else of us.
set -eu
umask 077

# A file system that hangs must not hold up the server's end for ever.
SECONDS_MAX=120
if [ -z "${ARCHIVE_WAL_TIMED:-}" ] && command -v timeout >/dev/null 2>&1; then
  ARCHIVE_WAL_TIMED=1 exec timeout -k 5 "$SECONDS_MAX" sh "$0" "$@"
fi

half=''
trap '[ -z "$half" ] || rm -f "$half"' EXIT

say() {
  echo "archive-wal: $1" >&2
}

check_name() {
  case $1 in
    '' | .* | *[!0-9A-Za-z._-]*) say "\"$1\" is no name of a segment"; exit "$2" ;;
  esac
}

# Whether what is archived as $1 is the file $2.
is_same() {
  case $1 in
    *.gz) gzip -cd "$1" | cmp -s - "$2" ;;
    *) cmp -s "$1" "$2" ;;
  esac
}

put() {
  folder=$1 path=$2 name=$3 suffix=''
  check_name "$name" 1
  [ "${4:-}" != gzip ] || suffix=.gz
  for there in "$folder/$name" "$folder/$name.gz"; do
    [ -e "$there" ] || continue
    if ! is_same "$there" "$path"; then
      say "$name is in the archive already with other content: do two servers share it?"
      exit 1
    fi
    # Its writer may have ended before it synced the folder.
    sync "$there" "$folder"
    exit 0
  done
  # Those of an earlier try that was killed.
  rm -f "$folder/.half-$name".*
  half="$folder/.half-$name.$$"
  if [ -n "$suffix" ]; then gzip -1 -c <"$path" >"$half"; else cat <"$path" >"$half"; fi
  sync "$half"
  ln "$half" "$folder/$name$suffix"
  rm "$half"
  half=''
  sync "$folder"
}

get() {
  folder=$1 name=$2 path=$3
  check_name "$name" 200
  if [ ! -r "$folder/." ] || [ ! -x "$folder/." ]; then
    say "the archive can't be read"
    exit 200
  fi
  half=$path
  if [ -e "$folder/$name" ]; then
    cat <"$folder/$name" >"$path" || exit 200
  elif [ -e "$folder/$name.gz" ]; then
    gzip -cd <"$folder/$name.gz" >"$path" || { say "$name.gz is damaged"; exit 200; }
  else
    half=''
    exit 1
  fi
  half=''
}

case ${1:-} in
  put) shift; put "$@" ;;
  get) shift; get "$@" ;;
  *) say "usage: archive-wal.sh put FOLDER PATH NAME [gzip] | get FOLDER NAME PATH"; exit 200 ;;
esac
