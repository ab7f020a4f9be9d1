/* A record is a head, the topic, the payload, in the byte order of the machine: the file never leaves it. */
#define _GNU_SOURCE
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* "RJN1": a file that a loss of power has filled with zeros has none. */
#define MAGIC 0x314e4a52u

struct head {
	uint32_t magic;
	/* Of all that follows it in the record. */
	uint32_t crc;
	uint32_t topic_bytes;
	uint32_t payload_bytes;
	uint32_t qos;
	uint32_t retain;
};

/* CRC-32 of IEEE 802.3, a table of bytes. */
static uint32_t crc_table[256];

static void make_crc_table(void)
{
	for (uint32_t byte = 0; byte < 256; byte++) {
		uint32_t crc = byte;
		for (int bit = 0; bit < 8; bit++) crc = (crc & 1) ? (crc >> 1) ^ 0xedb88320u : crc >> 1;
		crc_table[byte] = crc;
	}
}

static uint32_t crc_of(uint32_t crc, const void *data, size_t bytes)
{
	const uint8_t *at = data;
	crc = ~crc;
	while (bytes-- > 0) crc = (crc >> 8) ^ crc_table[(crc ^ *at++) & 0xff];
	return ~crc;
}

static uint32_t record_crc(const struct head *head, const void *topic, const void *payload)
{
	const size_t skipped = offsetof(struct head, topic_bytes);
	uint32_t crc = crc_of(0, (const uint8_t *)head + skipped, sizeof *head - skipped);
	crc = crc_of(crc, topic, head->topic_bytes);
	return crc_of(crc, payload, head->payload_bytes);
}

/* Returns the bytes of the whole records, and in `rc` what stopped it: 0 at the end or at a torn record. */
static uint64_t read_records(const uint8_t *data, uint64_t bytes, journal_take *take, int *rc)
{
	uint64_t at = 0;
	*rc = 0;
	while (bytes - at >= sizeof(struct head)) {
		struct head head;
		memcpy(&head, data + at, sizeof head);
		const uint64_t size = sizeof head + (uint64_t)head.topic_bytes + head.payload_bytes;
		if (head.magic != MAGIC || size > bytes - at) break;
		const uint8_t *topic = data + at + sizeof head;
		const uint8_t *payload = topic + head.topic_bytes;
		if (head.crc != record_crc(&head, topic, payload)) break;
		char *name = strndup((const char *)topic, head.topic_bytes);
		if (name == NULL) {
			*rc = ENOMEM;
			break;
		}
		const struct journal_message message = { name, payload, head.payload_bytes, (uint8_t)head.qos, head.retain != 0 };
		*rc = take(&message);
		free(name);
		if (*rc != 0) break;
		at += size;
	}
	return at;
}

static int read_all(struct journal_file *file, journal_take *take, uint64_t *torn_bytes)
{
	struct stat now;
	if (fstat(file->fd, &now) != 0) return errno;
	const uint64_t bytes = (uint64_t)now.st_size;
	*torn_bytes = 0;
	if (bytes == 0) return 0;
	void *data = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, file->fd, 0);
	if (data == MAP_FAILED) return errno;
	int rc = 0;
	file->bytes = read_records(data, bytes, take, &rc);
	munmap(data, bytes);
	if (rc != 0) return rc;
	*torn_bytes = bytes - file->bytes;
	/* Otherwise what is appended next would stand behind what cannot be read. */
	return *torn_bytes > 0 && ftruncate(file->fd, (off_t)file->bytes) != 0 ? errno : 0;
}

int journal_open(struct journal_file *file, const char *folder, journal_take *take, uint64_t *torn_bytes)
{
	make_crc_table();
	file->bytes = 0;
	file->broken = false;
	file->fd = -1;
	file->folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (file->folder_fd < 0) return errno;
	file->fd = openat(file->folder_fd, "journal", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (file->fd < 0 || fsync(file->folder_fd) != 0) return errno;
	return read_all(file, take, torn_bytes);
}

int journal_append(struct journal_file *file, const struct journal_message *message)
{
	if (file->broken) return EIO;
	struct head head = { MAGIC, 0, (uint32_t)strlen(message->topic), message->payload_bytes, message->qos, message->retain };
	const uint64_t size = sizeof head + (uint64_t)head.topic_bytes + head.payload_bytes;
	if (file->bytes + size > file->max_bytes) return EFBIG;
	head.crc = record_crc(&head, message->topic, message->payload);
	const struct iovec parts[] = {
		{ &head, sizeof head },
		{ (void *)message->topic, head.topic_bytes },
		{ (void *)message->payload, head.payload_bytes },
	};
	const ssize_t written = writev(file->fd, parts, 3);
	if (written >= 0 && (uint64_t)written == size) {
		file->bytes += size;
		return 0;
	}
	/* Short when the disk is full, and never continued: the next message may fit no better. */
	const int reason = written < 0 ? errno : ENOSPC;
	if (ftruncate(file->fd, (off_t)file->bytes) != 0) file->broken = true;
	return reason;
}

int journal_sync(const struct journal_file *file)
{
	return fdatasync(file->fd) == 0 ? 0 : errno;
}

int journal_clear(struct journal_file *file)
{
	/* The new state's name must not be lost with the power after what it stands for is gone from here. */
	if (fsync(file->folder_fd) != 0 || ftruncate(file->fd, 0) != 0) return errno;
	file->bytes = 0;
	file->broken = false;
	return 0;
}

void journal_close(struct journal_file *file)
{
	if (file->fd >= 0) close(file->fd);
	if (file->folder_fd >= 0) close(file->folder_fd);
	file->fd = file->folder_fd = -1;
}
