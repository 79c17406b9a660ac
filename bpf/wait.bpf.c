// SPDX-License-Identifier: GPL-2.0-only
/*
 * wait.bpf.c - what the loader says of system calls that wait, for all who ask why a thread leaves its processor.
 */
#include "wait.bpf.h"

char LICENSE[] SEC("license") = "GPL";

const volatile struct sonde_wait_config wait_conf = {};
