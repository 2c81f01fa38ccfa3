/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUZZ_WIRE_H
#define FUZZ_WIRE_H 1

/* The other end of a replication session, for the targets that drive the real
 * sender and the real receiver: what it says is put together here, what it
 * hears is cut into frames.  In place of the network is a stream of Open
 * vSwitch's whose bytes are in memory; the linker's --wrap puts it where
 * stream_open() and pstream_open() are called. */

#include "replica/frame.h"
#include "tests/fuzz/fuzz.h"

struct stream;

/* The address that the streams have. */
#define WIRE_PEER "127.0.0.1"

/* Begins a session.  The program under test reads at most 'piece' bytes at a
 * time (0: as many as it likes), and hears all that it sends in 'heard', once
 * for each frame. */
void wire_begin(size_t piece,
                void (*heard)(uint16_t type, const uint8_t *body, size_t n));

/* Says something. */
void wire_say_bytes(const void *data, size_t n);
void wire_say(enum frame_type type, const void *body, size_t n);

/* The other end closes once all was read. */
void wire_hang_up(void);

/* True while something is there to be read, and someone to read it. */
bool wire_is_busy(void);

/* True if the program under test has an open stream. */
bool wire_is_open(void);

#endif /* tests/fuzz/wire.h */
