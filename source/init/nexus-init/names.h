// SPDX-License-Identifier: Apache-2.0
// The name registry: lookups, ready reports and kill requests of programs.
#ifndef INIT_NAMES_H
#define INIT_NAMES_H

#include "nexus/service.h"

// Handles one request; who asks is the badge. Forged or malformed requests are answered with an
// error.
enum nx_answer names_request(struct nx_request *request);

#endif
