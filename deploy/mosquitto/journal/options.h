/* The plugin's settings: `plugin_opt_<name> <value>` in mosquitto.conf. */
#ifndef JOURNAL_OPTIONS_H
#define JOURNAL_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>

#define TOPICS_MAX 16
#define NEVER UINT64_MAX

struct options {
	/* folder: where the journal is, and mosquitto.db (persistence_location). Required. */
	const char *folder;
	/* node: the user name of those whose sessions are to be in mosquitto.db at once. Required. */
	const char *node;
	/* topic: a filter of what is journaled; given once or more. */
	const char *topics[TOPICS_MAX];
	int topic_count;
	/* max_bytes: above it messages are refused. Default 512 MiB. */
	uint64_t max_bytes;
	/* save_bytes: mosquitto.db is written when so much, and as much as its own size, was journaled. Default 2 MiB. */
	uint64_t save_bytes;
	/* sync_ms: how long the disk may lack what was acknowledged; 0 syncs each message. Default: up to the kernel. */
	uint64_t sync_ms;
};

/* Logs what is wrong and returns false. The strings stay Mosquitto's, for as long as it runs. */
bool parse_options(struct options *options, const struct mosquitto_opt *given, int count);

#endif
