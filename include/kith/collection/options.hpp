// kith/collection/options.hpp — how a collection is opened, and what an acknowledgement promises.
#pragma once

#include "kith/core/executor.hpp"
#include "kith/core/slot.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace kith::inline v0 {

/// What opening a directory may do.
enum class OpenMode : std::uint8_t {
    create_or_open,  ///< open what is there, make a new collection where nothing is
    create,          ///< make a new one; a path that exists is an error
    open,            ///< open an existing one; a missing path is an error
    read_only,       ///< open an existing one, beside its writer if there is one, and write nothing; see refresh()
};

/// When an acknowledged write is safe from a power cut. A crash of the process alone loses nothing at any level.
class Durability {
public:
    enum class Level : std::uint8_t { each_commit, interval, on_checkpoint };

    /// A call returns after its records are on the disk. Callers that write at the same time share one sync.
    static constexpr Durability each_commit() noexcept { return {Level::each_commit, {}}; }

    /// A call returns at once; the log is synced every `period`, of 1 ms to 24 hours. A power cut loses at most the
    /// writes since the last sync, and what survives is a prefix of what was acknowledged.
    static constexpr Durability interval(std::chrono::milliseconds period) noexcept {
        return {Level::interval, period};
    }

    /// A call returns at once; checkpoint() and close() sync. A power cut loses at most the writes since then, and
    /// what survives is a prefix of what was acknowledged.
    static constexpr Durability on_checkpoint() noexcept { return {Level::on_checkpoint, {}}; }

    [[nodiscard]] constexpr Level level() const noexcept { return level_; }
    [[nodiscard]] constexpr std::chrono::milliseconds period() const noexcept { return period_; }

private:
    constexpr Durability(Level level, std::chrono::milliseconds period) noexcept : level_(level), period_(period) {}

    Level level_;
    std::chrono::milliseconds period_;  // positive for interval, unused otherwise
};

/// Who seals and merges segments.
enum class Maintenance : std::uint8_t {
    automatic,  ///< a background thread, whenever it pays
    on_call,    ///< checkpoint() and compact() alone
};

/// The settings of one open collection; none of them is stored.
struct Options {
    OpenMode mode = OpenMode::create_or_open;
    Durability durability = Durability::each_commit();
    Slot segment_capacity = Slot{1} << 20;  ///< records a segment holds before the next one begins, also when merged
    std::uint64_t segment_bytes = std::uint64_t{1} << 30;  ///< bytes of records in memory that are sealed
    std::uint64_t log_bytes = std::uint64_t{1} << 28;      ///< a log longer than this is sealed
    Maintenance maintenance = Maintenance::automatic;
    /// Bytes of sealed vectors and graphs that are kept in memory, read through a cache of blocks: for collections larger
    /// than memory. 0 maps the files whole, and leaves what stays in memory to the system.
    std::uint64_t cache_bytes = 0;
    /// Bytes of records in memory at which a write waits for the sealing of earlier ones; 0 for no limit. Columns and
    /// indexes of a segment are made in an eighth of it, and in 64 MiB at most, or in what the largest index takes.
    std::uint64_t memory_bytes = 0;
    /// Bytes of files at which puts are refused, and merges that would pass it not begun; 0 for no limit.
    std::uint64_t max_disk_bytes = 0;
    /// How often a collection opened with OpenMode::read_only moves to the newest state by itself; 0 for never, which
    /// leaves it to refresh().
    std::chrono::milliseconds follow{0};
    /// Whether a directory of a network file system, or of FUSE, is taken. Locks and memory maps of several machines do
    /// not hold together there: only where one process alone uses the collection.
    bool allow_network_filesystem = false;
    unsigned index_threads = 1;  ///< threads that link records into graphs; 1 is deterministic
    /// Threads that answer one query, where it has several segments to search and others leave cores free; the answer
    /// is the same for any number. 1: the caller's alone.
    unsigned search_threads = Executor::hardware_threads();
};

namespace detail {
inline constexpr Slot largest_segment = Slot{1} << 28;  // of Options::segment_capacity

/// Memory in which columns and indexes of a segment are made, where no index takes more by itself: an eighth of
/// Options::memory_bytes, and never much.
[[nodiscard]] constexpr std::size_t scalar_work_bytes(const Options& options) noexcept {
    constexpr std::uint64_t least = std::uint64_t{1} << 16, most = std::uint64_t{1} << 26;
    return static_cast<std::size_t>(
        options.memory_bytes == 0 ? most : std::clamp<std::uint64_t>(options.memory_bytes / 8, least, most));
}
}  // namespace detail

/// Tag of the constructor that makes a collection without a directory.
struct InMemory {};
inline constexpr InMemory in_memory{};

}  // namespace kith::inline v0
