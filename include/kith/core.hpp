// kith/core.hpp — the words every layer shares.
#pragma once

#include "kith/core/assert.hpp"
#include "kith/core/bitset_view.hpp"
#include "kith/core/bytes.hpp"
#include "kith/core/config.hpp"
#include "kith/core/crc32c.hpp"
#include "kith/core/element.hpp"
#include "kith/core/error.hpp"
#include "kith/core/half.hpp"
#include "kith/core/matrix_view.hpp"
#include "kith/core/neighbor.hpp"
#include "kith/core/parallel.hpp"
#include "kith/core/random.hpp"
#include "kith/core/reserved_memory.hpp"
#include "kith/core/scratch_memory.hpp"
#include "kith/core/slot.hpp"
#include "kith/core/top_k.hpp"
