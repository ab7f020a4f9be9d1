/*
 * A journal for Mosquitto 2.0, which writes its state whole, to `mosquitto.db`, and between two writes has it in memory alone.
 * Each message of quality of service 1 or 2 on the topics of the configuration is appended to a file before it is
 * acknowledged: after access was checked, before it is queued (`handle__publish`). What is in the file when the broker starts is
 * published before anybody can connect, to the sessions and plain subscriptions of `mosquitto.db`.
 *
 * The invariant: what is acknowledged is in `mosquitto.db` or in the journal. The broker has one thread, and handles a message
 * whole or not at all before it writes its state; so a `mosquitto.db` that is another file than at the last look holds all that
 * was appended before this look, and the journal is emptied. It is looked at before each append, and once each turn of the loop
 * (with `per_listener_settings false`: otherwise plugins are told of no turn).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>

#include "file.h"
#include "options.h"
#include "subscriptions.h"

#define UNUSED(name) (void)(name)

static struct options options;
static struct journal_file journal;
static char state_path[PATH_MAX];
/* mosquitto.db as it was at the last look. */
static struct stat seen;
/* The journal's size at which the state is to be written next. */
static uint64_t save_at_bytes;
static uint64_t replayed;
static uint64_t refused;
static bool is_unsynced;

/* Whether so long has passed since it last said so. */
static bool is_due(uint64_t *last_ms, uint64_t every_ms)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	const uint64_t now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	if (now_ms - *last_ms < every_ms) return false;
	*last_ms = now_ms;
	return true;
}

/* The state is written at the end of this turn of the loop. Not before the loop runs: the signal has no handler then. */
static void ask_for_save(void)
{
	raise(SIGUSR1);
}

static void look_at_state(void)
{
	struct stat now;
	if (stat(state_path, &now) != 0) return;
	const bool is_same = now.st_ino == seen.st_ino && now.st_mtim.tv_sec == seen.st_mtim.tv_sec &&
		now.st_mtim.tv_nsec == seen.st_mtim.tv_nsec && now.st_size == seen.st_size;
	if (is_same) return;
	seen = now;
	if (journal.bytes > 0) {
		const int failed = journal_clear(&journal);
		/* It is kept, and what it holds comes once more after the next start. */
		if (failed != 0) mosquitto_log_printf(MOSQ_LOG_ERR, "Journal: cannot empty it: %s", strerror(failed));
	}
	is_unsynced = is_unsynced && journal.bytes > 0;
	/* As much as the state itself, so that many queued messages are not written again for each few new ones. */
	const uint64_t state_bytes = (uint64_t)now.st_size;
	save_at_bytes = state_bytes > options.save_bytes ? state_bytes : options.save_bytes;
	if (save_at_bytes > options.max_bytes / 2) save_at_bytes = options.max_bytes / 2;
}

static int sync_journal(void)
{
	const int failed = journal_sync(&journal);
	if (failed == 0) is_unsynced = false;
	return failed;
}

static bool is_journaled(const struct mosquitto_evt_message *message)
{
	if (message->qos == 0) return false;
	for (int at = 0; at < options.topic_count; at++) {
		bool matches = false;
		const int rc = mosquitto_topic_matches_sub(options.topics[at], message->topic, &matches);
		if (rc == MOSQ_ERR_SUCCESS && matches) return true;
	}
	return false;
}

/* Neither acknowledged nor queued: the connection ends, and the client keeps the message and sends it again. */
static int refuse(int reason)
{
	if (refused == 0) {
		const char *why = reason == EFBIG ? "max_bytes is reached and mosquitto.db is not written" : strerror(reason);
		mosquitto_log_printf(MOSQ_LOG_ERR, "Journal: messages are refused: %s", why);
	}
	refused++;
	return MOSQ_ERR_UNKNOWN;
}

static int on_message(int event, void *data, void *user_data)
{
	UNUSED(event), UNUSED(user_data);
	const struct mosquitto_evt_message *message = data;
	if (!is_journaled(message)) return MOSQ_ERR_SUCCESS;
	look_at_state();
	const struct journal_message record = {
		message->topic, message->payload, message->payloadlen, message->qos, message->retain,
	};
	int failed = journal_append(&journal, &record);
	if (failed == 0) is_unsynced = true;
	if (failed == 0 && options.sync_ms == 0) failed = sync_journal();
	if (failed != 0) return refuse(failed);
	if (refused > 0) {
		mosquitto_log_printf(MOSQ_LOG_NOTICE, "Journal: messages are taken again, %llu were refused", (unsigned long long)refused);
		refused = 0;
	}
	if (journal.bytes >= save_at_bytes) {
		save_at_bytes = journal.bytes + options.save_bytes;
		ask_for_save();
	}
	return MOSQ_ERR_SUCCESS;
}

/* One whose session outlives its connection. */
static bool is_node(const struct mosquitto *client)
{
	const char *username = mosquitto_client_username(client);
	return username != NULL && strcmp(username, options.node) == 0 && !mosquitto_client_clean_session(client);
}

/* A session that mosquitto.db does not have would be handed nothing; one that it should not have, everything. */
static int on_acl_check(int event, void *data, void *user_data)
{
	UNUSED(event), UNUSED(user_data);
	const struct mosquitto_evt_acl_check *check = data;
	const int is_change = check->access & (MOSQ_ACL_SUBSCRIBE | MOSQ_ACL_UNSUBSCRIBE);
	if (!is_change || !is_node(check->client)) return MOSQ_ERR_PLUGIN_DEFER;
	const char *client_id = mosquitto_client_id(check->client);
	if (subscriptions_note(client_id, check->topic, check->access == MOSQ_ACL_SUBSCRIBE)) ask_for_save();
	return MOSQ_ERR_PLUGIN_DEFER;
}

static int on_tick(int event, void *data, void *user_data)
{
	UNUSED(event), UNUSED(data), UNUSED(user_data);
	static uint64_t asked_ms, synced_ms;
	look_at_state();
	if (replayed > 0 || (refused > 0 && is_due(&asked_ms, 1000))) ask_for_save();
	replayed = 0;
	if (is_unsynced && options.sync_ms != NEVER && is_due(&synced_ms, options.sync_ms)) {
		const int failed = sync_journal();
		if (failed != 0) mosquitto_log_printf(MOSQ_LOG_ERR, "Journal: cannot sync it: %s", strerror(failed));
	}
	return MOSQ_ERR_SUCCESS;
}

static int publish_again(const struct journal_message *message)
{
	void *payload = NULL;
	if (message->payload_bytes > 0) {
		payload = mosquitto_malloc(message->payload_bytes);
		if (payload == NULL) return ENOMEM;
		memcpy(payload, message->payload, message->payload_bytes);
	}
	replayed++;
	/* The payload is Mosquitto's from here. */
	const int bytes = (int)message->payload_bytes;
	return mosquitto_broker_publish(NULL, message->topic, bytes, payload, message->qos, message->retain, NULL) ? ENOMEM : 0;
}

static int open_journal(void)
{
	uint64_t torn_bytes = 0;
	journal.max_bytes = options.max_bytes;
	const int failed = journal_open(&journal, options.folder, publish_again, &torn_bytes);
	if (failed != 0) {
		mosquitto_log_printf(MOSQ_LOG_ERR, "Journal: cannot open it in %s: %s", options.folder, strerror(failed));
		return MOSQ_ERR_ERRNO;
	}
	if (torn_bytes > 0) {
		mosquitto_log_printf(MOSQ_LOG_WARNING, "Journal: its last %llu bytes are no whole message, and cut off",
			(unsigned long long)torn_bytes);
	}
	mosquitto_log_printf(MOSQ_LOG_NOTICE, "Journal: %llu messages of %llu bytes are published again",
		(unsigned long long)replayed, (unsigned long long)journal.bytes);
	return MOSQ_ERR_SUCCESS;
}

int mosquitto_plugin_version(int supported_count, const int *supported)
{
	for (int at = 0; at < supported_count; at++) {
		if (supported[at] == MOSQ_PLUGIN_VERSION) return MOSQ_PLUGIN_VERSION;
	}
	return -1;
}

int mosquitto_plugin_init(mosquitto_plugin_id_t *id, void **user_data, struct mosquitto_opt *given, int count)
{
	UNUSED(user_data);
	if (!parse_options(&options, given, count)) return MOSQ_ERR_INVAL;
	save_at_bytes = options.save_bytes;
	const int length = snprintf(state_path, sizeof state_path, "%s/mosquitto.db", options.folder);
	if (length < 0 || (size_t)length >= sizeof state_path) return MOSQ_ERR_INVAL;
	/* It was read before plugins are loaded. Without one, the first that is written is another than none. */
	if (stat(state_path, &seen) != 0) memset(&seen, 0, sizeof seen);
	int rc = open_journal();
	if (rc == MOSQ_ERR_SUCCESS) rc = mosquitto_callback_register(id, MOSQ_EVT_MESSAGE, on_message, NULL, NULL);
	if (rc == MOSQ_ERR_SUCCESS) rc = mosquitto_callback_register(id, MOSQ_EVT_ACL_CHECK, on_acl_check, NULL, NULL);
	if (rc == MOSQ_ERR_SUCCESS) rc = mosquitto_callback_register(id, MOSQ_EVT_TICK, on_tick, NULL, NULL);
	return rc;
}

int mosquitto_plugin_cleanup(void *user_data, struct mosquitto_opt *given, int count)
{
	UNUSED(user_data), UNUSED(given), UNUSED(count);
	/* An orderly end has written the state. */
	look_at_state();
	subscriptions_forget_all();
	journal_close(&journal);
	return MOSQ_ERR_SUCCESS;
}
