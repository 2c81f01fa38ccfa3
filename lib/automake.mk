# SPDX-License-Identifier: Apache-2.0
#
# What all programs share.  Includes nothing from the other folders.

noinst_LIBRARIES += lib/libha.a
lib_libha_a_SOURCES = \
	lib/log.c \
	lib/log.h \
	lib/mono.c \
	lib/mono.h
