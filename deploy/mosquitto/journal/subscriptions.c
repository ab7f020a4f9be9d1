#define _GNU_SOURCE
#include "subscriptions.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A day: sessions of nodes last for seven after their connection ended. */
#define KNOWN_S 86400

struct subscription {
	struct subscription *next;
	char *client_id;
	char *topic;
	bool is_subscribed;
	time_t noted_s;
};

static struct subscription *first;

static time_t now_s(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static void drop(struct subscription **at)
{
	struct subscription *dropped = *at;
	*at = dropped->next;
	free(dropped->client_id);
	free(dropped->topic);
	free(dropped);
}

/* Those that are too old are dropped on the way: they would pile up where each start of a node has an id of its own. */
static struct subscription **find(const char *client_id, const char *topic, time_t now)
{
	struct subscription **at = &first;
	while (*at != NULL) {
		if (now - (*at)->noted_s >= KNOWN_S) {
			drop(at);
			continue;
		}
		if (strcmp((*at)->client_id, client_id) == 0 && strcmp((*at)->topic, topic) == 0) return at;
		at = &(*at)->next;
	}
	return at;
}

bool subscriptions_note(const char *client_id, const char *topic, bool is_subscribed)
{
	const time_t now = now_s();
	struct subscription **at = find(client_id, topic, now);
	if (*at != NULL) {
		const bool is_news = (*at)->is_subscribed != is_subscribed;
		(*at)->is_subscribed = is_subscribed;
		(*at)->noted_s = now;
		return is_news;
	}
	struct subscription *added = calloc(1, sizeof *added);
	if (added == NULL) return true;
	*added = (struct subscription){ NULL, strdup(client_id), strdup(topic), is_subscribed, now };
	*at = added;
	/* Not remembered, it is written the next time as well. */
	if (added->client_id == NULL || added->topic == NULL) drop(at);
	return true;
}

void subscriptions_forget_all(void)
{
	while (first != NULL) drop(&first);
}
