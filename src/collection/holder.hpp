// src/collection/holder.hpp — who writes to a collection, asked without a trace.
//
// Thread safety: any number of threads.
#pragma once

#include "kith/storage/file.hpp"

#include <filesystem>
#include <string>

namespace kith::inline v0::detail {

/// The process that has the collection open for writing, "process 1234 on host since …"; empty when none has.
/// Throws: Errc::io.
[[nodiscard]] std::string writer_of(const std::filesystem::path& collection);

/// Keeps writers out for as long as it lives, and changes not a byte.
class WriterBarrier {
public:
    /// Throws: Errc::locked when there is one; Errc::io.
    explicit WriterBarrier(const std::filesystem::path& collection);

private:
    File file_;  // holds the lock; not open where somebody removed LOCK, which every collection is made with
};

}  // namespace kith::inline v0::detail
