// kith/collection.hpp — records of one schema, in a directory or in memory: the roof that joins the columns.
#pragma once

#include "kith/collection/assign.hpp"
#include "kith/collection/backup.hpp"
#include "kith/collection/collection.hpp"
#include "kith/collection/estimate.hpp"
#include "kith/collection/explanation.hpp"
#include "kith/collection/hit.hpp"
#include "kith/collection/nearest_many_query.hpp"
#include "kith/collection/nearest_query.hpp"
#include "kith/collection/options.hpp"
#include "kith/collection/reading.hpp"
#include "kith/collection/record_range.hpp"
#include "kith/collection/recovery.hpp"
#include "kith/collection/repair.hpp"
#include "kith/collection/snapshot_handle.hpp"
#include "kith/collection/stats.hpp"
#include "kith/collection/verify.hpp"
