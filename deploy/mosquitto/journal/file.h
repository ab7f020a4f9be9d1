/* A file of messages that survives the death of the process that writes it. It knows nothing of Mosquitto. */
#ifndef JOURNAL_FILE_H
#define JOURNAL_FILE_H

#include <stdbool.h>
#include <stdint.h>

struct journal_message {
	const char *topic;
	const void *payload;
	uint32_t payload_bytes;
	uint8_t qos;
	bool retain;
};

struct journal_file {
	int fd;
	int folder_fd;
	uint64_t bytes;
	uint64_t max_bytes;
	/* What a write left behind could not be cut off: what would follow could not be read. */
	bool broken;
};

/* Of a message that was read. The topic and the payload are the callee's only during the call. Returns 0 to go on. */
typedef int journal_take(const struct journal_message *message);

/*
 * Opens `journal` in the folder, or makes it, and hands out what it holds, oldest first. What follows the last whole record is
 * a write that was cut short: it was never acknowledged, and it is cut off. Returns 0, an errno, or what `take` returned.
 */
int journal_open(struct journal_file *file, const char *folder, journal_take *take, uint64_t *torn_bytes);

/* Returns 0 when the kernel has the whole message, or an errno (EFBIG at max_bytes), and then the file is as it was. */
int journal_append(struct journal_file *file, const struct journal_message *message);

/* Waits until the disk has what was appended. Returns 0 or an errno. */
int journal_sync(const struct journal_file *file);

/* Forgets everything. Returns 0 or an errno. */
int journal_clear(struct journal_file *file);

void journal_close(struct journal_file *file);

#endif
