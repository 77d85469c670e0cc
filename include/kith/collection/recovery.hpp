// kith/collection/recovery.hpp — what opening a collection found and mended.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace kith::inline v0 {

/// The end of the log was cut off: a write that was in flight when the process or the machine stopped.
struct TornTail {
    std::string file;          ///< the log file
    std::uint64_t offset = 0;  ///< where its last whole record ends
    std::uint64_t bytes = 0;   ///< how many bytes after that were dropped
    bool whole = false;        ///< the first record dropped has all its bytes and a wrong checksum: damage, perhaps
};

/// The result of the last open. Damage to acknowledged records is an Error instead, but for the newest ones: nothing
/// behind them can say that they were whole once, so they look like a torn tail, and are reported as one.
struct RecoveryReport {
    std::uint64_t replayed_batches = 0;      ///< log records applied again, each one batch
    std::uint64_t replayed_operations = 0;   ///< puts and erases in them
    std::uint64_t last_sequence = 0;         ///< number of the newest batch the collection holds
    std::optional<TornTail> torn_tail;       ///< set when the log did not end in a whole record
    std::vector<std::string> removed_files;  ///< leftovers of an interrupted checkpoint
};

}  // namespace kith::inline v0
