/* What is known of nodes' subscriptions: mosquitto.db has it, or will have it when this turn of the loop is over. */
#ifndef JOURNAL_SUBSCRIPTIONS_H
#define JOURNAL_SUBSCRIPTIONS_H

#include <stdbool.h>

/*
 * A node subscribes or unsubscribes. Returns whether that must be written: it was not known, or so long ago that the session
 * may have expired meanwhile. Where much is queued a state takes seconds to write, so a node that comes back and asks for
 * what it has must not cost one.
 */
bool subscriptions_note(const char *client_id, const char *topic, bool is_subscribed);

void subscriptions_forget_all(void);

#endif
