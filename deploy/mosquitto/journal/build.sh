#!/bin/sh
# Builds the journal plugin: build.sh [FILE]. Debian 12: apt-get install gcc libc6-dev mosquitto-dev libmosquitto-dev
set -eu
out=${1:-/usr/local/lib/mosquitto_journal.so}
cd "$(dirname "$0")"
${CC:-cc} -std=c11 -O2 -g -fPIC -shared -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror \
  -fstack-protector-strong -D_FORTIFY_SOURCE=2 -Wl,-z,relro,-z,now -o "$out" plugin.c options.c file.c subscriptions.c
