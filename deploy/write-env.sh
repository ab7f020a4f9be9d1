#!/bin/sh
# Writes .env beside compose.yaml: the passwords of the stack, made here and nowhere else, and which profiles come up.
# `deploy/write-env.sh` for everything, `deploy/write-env.sh core` without what watches it.
set -eu
umask 077
cd "$(dirname "$0")/.."
file=${ENV_FILE:-.env}

case "${1:-all}" in
  all) profiles=core,observability traces=http://otel-collector:4318 ;;
  core) profiles=core traces= ;;
  *) echo "Cannot write $file: the argument must be \"all\" or \"core\": it is \"$1\"" >&2; exit 1 ;;
esac
if [ -e "$file" ]; then
  echo "Cannot write $file: it exists, and what runs has its passwords from it" >&2
  exit 1
fi

# Hexadecimal: they stand in URLs as they are.
secret() { od -An -tx1 -N32 /dev/urandom | tr -d ' \n'; }

cat > "$file.new" <<END
COMPOSE_PROFILES=$profiles
POSTGRES_PASSWORD=$(secret)
MQTT_PASSWORD=$(secret)
GRAFANA_ADMIN_PASSWORD=$(secret)
# Empty where nobody takes traces: the newest are then kept in memory.
OTEL_EXPORTER_OTLP_ENDPOINT=$traces
# Where the API and MQTT can be reached. Both are plain: put TLS in front before this is more than this machine.
PUBLIC_ADDRESS=127.0.0.1
# Who is told of alerts: addresses of webhooks. Alertmanager does not start while one is empty.
ALERT_HEARTBEAT_URL=${ALERT_HEARTBEAT_URL:-}
ALERT_ON_CALL_URL=${ALERT_ON_CALL_URL:-}
ALERT_INFRASTRUCTURE_LEAD_URL=${ALERT_INFRASTRUCTURE_LEAD_URL:-}
ALERT_SUPPORT_HOSTING_URL=${ALERT_SUPPORT_HOSTING_URL:-}
ALERT_SUPPORT_DATABASE_URL=${ALERT_SUPPORT_DATABASE_URL:-}
ALERT_SUPPORT_PAYMENTS_URL=${ALERT_SUPPORT_PAYMENTS_URL:-}
ALERT_OPS_URL=${ALERT_OPS_URL:-}
ALERT_OPERATIONS_DESK_URL=${ALERT_OPERATIONS_DESK_URL:-}
ALERT_FINANCE_URL=${ALERT_FINANCE_URL:-}
END
mv "$file.new" "$file"
echo "Wrote $file; it holds passwords: keep it, and keep it to yourself"
