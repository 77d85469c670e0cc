// kith/storage.hpp — the door to storage: bytes that survive.
#pragma once

#include "kith/storage/block_cache.hpp"
#include "kith/storage/cached_file.hpp"
#include "kith/storage/delete_bitmap.hpp"
#include "kith/storage/environment.hpp"
#include "kith/storage/file.hpp"
#include "kith/storage/file_system.hpp"
#include "kith/storage/identity.hpp"
#include "kith/storage/lease.hpp"
#include "kith/storage/lock.hpp"
#include "kith/storage/log_follower.hpp"
#include "kith/storage/log_format.hpp"
#include "kith/storage/log_reader.hpp"
#include "kith/storage/log_writer.hpp"
#include "kith/storage/mapped_file.hpp"
#include "kith/storage/segment_file.hpp"
#include "kith/storage/system_error.hpp"
