// kith/kith.hpp — the whole library: every door that a program needs.
#pragma once

#include "kith/collection.hpp"
#include "kith/core.hpp"
#include "kith/distance.hpp"
#include "kith/index.hpp"
#include "kith/quantize.hpp"
#include "kith/query.hpp"
#include "kith/schema.hpp"
#include "kith/version.hpp"
