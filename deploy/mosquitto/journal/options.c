#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <mosquitto.h>

static bool parse_number(const struct mosquitto_opt *given, uint64_t min, uint64_t *value)
{
	char *end = NULL;
	errno = 0;
	const unsigned long long number = strtoull(given->value, &end, 10);
	if (isdigit((unsigned char)given->value[0]) && *end == '\0' && errno == 0 && number >= min) {
		*value = number;
		return true;
	}
	mosquitto_log_printf(MOSQ_LOG_ERR, "Journal: '%s' must be a whole number of at least %llu: it is '%s'", given->key,
		(unsigned long long)min, given->value);
	return false;
}

static bool add_topic(struct options *options, const char *filter)
{
	if (options->topic_count == TOPICS_MAX) {
		mosquitto_log_printf(MOSQ_LOG_ERR, "Journal: 'topic' may be given %d times", TOPICS_MAX);
		return false;
	}
	if (mosquitto_sub_topic_check(filter) != MOSQ_ERR_SUCCESS) {
		mosquitto_log_printf(MOSQ_LOG_ERR, "Journal: 'topic' must be a topic filter: it is '%s'", filter);
		return false;
	}
	options->topics[options->topic_count++] = filter;
	return true;
}

static bool parse_option(struct options *options, const struct mosquitto_opt *given)
{
	if (strcmp(given->key, "folder") == 0) {
		options->folder = given->value;
		return true;
	}
	if (strcmp(given->key, "node") == 0) {
		options->node = given->value;
		return true;
	}
	if (strcmp(given->key, "topic") == 0) return add_topic(options, given->value);
	if (strcmp(given->key, "max_bytes") == 0) return parse_number(given, 1, &options->max_bytes);
	if (strcmp(given->key, "save_bytes") == 0) return parse_number(given, 1, &options->save_bytes);
	if (strcmp(given->key, "sync_ms") == 0) return parse_number(given, 0, &options->sync_ms);
	mosquitto_log_printf(MOSQ_LOG_ERR, "Journal: there is no option '%s'", given->key);
	return false;
}

bool parse_options(struct options *options, const struct mosquitto_opt *given, int count)
{
	*options = (struct options){ .max_bytes = 512 << 20, .save_bytes = 2 << 20, .sync_ms = NEVER };
	for (int at = 0; at < count; at++) {
		if (!parse_option(options, &given[at])) return false;
	}
	if (options->folder != NULL && options->node != NULL && options->topic_count > 0) return true;
	mosquitto_log_printf(MOSQ_LOG_ERR, "Journal: 'folder', 'node' and 'topic' are required");
	return false;
}
