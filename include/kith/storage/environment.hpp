// kith/storage/environment.hpp — rows, keys and state records in one transaction: the commit point of a collection.
//
// LMDB keeps them; it survives crashes but checks nothing, so each value ends in a CRC-32C over table, key and value,
// added and verified here.
//
//   rows   u64 id, big-endian → row; u32 CRC-32C          ids order as numbers                              (on disk)
//   keys   1 to 511 bytes     → u64 id; u32 CRC-32C
//   state  name               → record; u32 CRC-32C
//
// Every commit is synced before it returns. A reader never waits for the writer; it keeps the pages it sees from being
// reused, so it should be short.
//
// Any number of processes may have it open, one of them to write; LMDB's lock file tells the writer who reads what. In
// one process all Environments of a file share one opening of it, whatever path led there.
//
// Thread safety: any number of threads may read; one at a time may write. One ReadTransaction belongs to one thread at
// a time, and a thread holds no two. A child made by fork may only destroy what it inherited.
// Source: LMDB 0.9 and 1.x, lmdb.h.
#pragma once

#include "kith/core/long_call.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

namespace kith::inline v0::detail {

enum class EnvironmentMode : std::uint8_t {
    create,      ///< make a new one in a directory that has none
    read_write,  ///< open one that exists
    read_only,   ///< open one that exists and write nothing but who reads, into the lock file
    read_alone,  ///< the same where the lock file cannot be written; the caller keeps writers out
};

inline constexpr std::size_t max_key_bytes = 511;                            // LMDB's limit
inline constexpr std::size_t max_row_bytes = std::size_t{1} << 30;           // of a row or state record
inline constexpr std::uint64_t default_map_bytes = std::uint64_t{64} << 30;  // address space, not memory

struct EnvironmentState;

/// What the last commit before it began holds, for as long as it lives. Views it returns die with it.
class ReadTransaction {
public:
    ReadTransaction(ReadTransaction&&) noexcept;
    ReadTransaction& operator=(ReadTransaction&&) noexcept;
    ~ReadTransaction();

    /// Throws: Errc::corrupt, naming file, table and key, as every function here does.
    [[nodiscard]] std::optional<std::string_view> row(std::uint64_t id) const;
    [[nodiscard]] std::optional<std::uint64_t> key(std::string_view key) const;
    [[nodiscard]] std::optional<std::string_view> state(std::string_view name) const;

    /// The first id of a row that is not below `from`. Does not look at the row.
    [[nodiscard]] std::optional<std::uint64_t> next_row_id(std::uint64_t from) const;

    /// Calls `visit(id, row)` for the rows with first <= id <= last in order of ids, until it returns false.
    void for_each_row(std::uint64_t first, std::uint64_t last,
                      const std::function<bool(std::uint64_t, std::string_view)>& visit) const;

    /// Calls `visit(key, id)` for all keys in order of their bytes, until it returns false.
    void for_each_key(const std::function<bool(std::string_view, std::uint64_t)>& visit) const;

    /// The number of the commit that it sees; a later one has a greater number, and so has all after a compact().
    [[nodiscard]] std::uint64_t commit_number() const;

    [[nodiscard]] std::uint64_t row_count() const;
    [[nodiscard]] std::uint64_t key_count() const;

private:
    friend class Environment;
    struct Impl;
    explicit ReadTransaction(std::unique_ptr<Impl> impl) noexcept;
    std::unique_ptr<Impl> impl_;  // null after a move
};

/// What a function given to Environment::write changes.
/// Throws: Errc::invalid_argument for an empty key or name; Errc::limit_exceeded past max_key_bytes or max_row_bytes;
/// Errc::disk_full, Errc::io, Errc::corrupt. Nothing of the transaction is kept then.
class WriteTransaction {
public:
    WriteTransaction(const WriteTransaction&) = delete;
    WriteTransaction& operator=(const WriteTransaction&) = delete;

    /// Adds or replaces. Cheapest in ascending order of ids.
    void put_row(std::uint64_t id, std::string_view row);
    void put_key(std::string_view key, std::uint64_t id);
    void put_state(std::string_view name, std::string_view record);

    /// Erasing what is not there does nothing.
    void erase_row(std::uint64_t id);
    /// Every row with first <= id <= last; returns how many there were.
    std::uint64_t erase_rows(std::uint64_t first, std::uint64_t last);
    void erase_key(std::string_view key);

private:
    friend class Environment;
    struct Impl;
    explicit WriteTransaction(Impl& impl) noexcept : impl_(&impl) {}
    ~WriteTransaction() = default;
    Impl* impl_;  // lives in Environment::write
};

/// The reader that sees the oldest commit, and so keeps the most pages from being used again.
struct OldestReader {
    std::int64_t process = 0;          // its number
    std::uint64_t commits_behind = 0;  // how many came since; at least 1
};

struct EnvironmentStats {
    std::uint64_t page_bytes = 0;
    std::uint64_t used_pages = 0;
    std::uint64_t free_pages = 0;  // used again once no reader sees the commit that gave them back
    std::uint64_t file_bytes = 0;
    std::uint64_t map_bytes = 0;                // what the file may grow to before the map does
    std::uint64_t readers = 0;                  // ReadTransactions of all processes that are under way
    std::optional<OldestReader> oldest_reader;  // none while all of them see the newest commit
};

class Environment {
public:
    /// Opens `directory`/data.mdb; the directory exists. When `map_bytes` of address space cannot be had, less is
    /// taken. A file that this process has open already is shared; where that was to read and this is to write, or that
    /// was read_alone and this is not, it is opened anew as soon as no ReadTransaction is left, so the calling thread may
    /// hold none.
    /// Throws: Errc::already_exists (create); Errc::corrupt when the file is missing, empty, cut or not LMDB's;
    /// Errc::unsupported_version when the other LMDB wrote it; Errc::disk_full, Errc::io.
    Environment(const std::filesystem::path& directory, EnvironmentMode mode,
                std::uint64_t map_bytes = default_map_bytes);
    Environment(Environment&&) noexcept;
    Environment& operator=(Environment&&) noexcept;
    ~Environment();  // every ReadTransaction is gone by then

    /// Throws: Errc::forked in a child of the process that opened it; Errc::poisoned after a failed sync;
    /// Errc::limit_exceeded with more than 1,024 at once, over all processes; Errc::io.
    [[nodiscard]] ReadTransaction read() const;

    /// Runs `fill` and commits what it put and erased: all of it on the disk, or none. When the map is full it grows
    /// and `fill` runs once more, so running it twice must do no harm; growing waits for every ReadTransaction, so the
    /// calling thread may hold none.
    /// Throws: what `fill` throws; Errc::read_only, Errc::forked, Errc::poisoned; Errc::disk_full, after which the
    /// next write may succeed; Errc::io, after which the environment is poisoned. Nothing was changed.
    void write(const std::function<void(WriteTransaction&)>& fill);

    /// Cost: reads the list of free pages, which is short.
    /// Throws: as read.
    [[nodiscard]] EnvironmentStats stats() const;

    /// Writes what the newest commit holds to the file `to`, which is then on the disk, without free pages, while readers
    /// and the writer go on. The pages of that commit are not used again meanwhile, so what is committed meanwhile makes
    /// the file longer.
    /// Ensures: `to` is there whole or not at all; what stood there is replaced.
    /// Throws: as read; Errc::corrupt, Errc::disk_full, Errc::io; Errc::cancelled, Errc::timed_out.
    void copy_to(const std::filesystem::path& to, const LongCall& call = {}) const;

    /// Gives free pages back to the file system, where they are at least a megabyte and a fifth of all: writes a copy
    /// without them and goes on with it. False, and nothing has changed, when they are fewer, or another process has the
    /// file open, which would go on with the old one. Readers of this process wait while the file is opened.
    /// Other writes wait meanwhile. Requires: the calling thread holds no ReadTransaction.
    /// Throws: Errc::read_only, as read; Errc::corrupt, Errc::disk_full, Errc::io; Errc::cancelled, Errc::timed_out.
    /// What it holds is the same in any case; where it is unknown which file a power cut would leave, it is poisoned.
    bool compact(const LongCall& call = {});

    /// Whether the lock file in `directory` can be written or made, so that a writer learns who reads. Where it cannot,
    /// open it read_alone.
    [[nodiscard]] static bool can_register_readers(const std::filesystem::path& directory);

    /// Whether an earlier failure left it unknown what the file holds; no transaction begins then.
    [[nodiscard]] bool poisoned() const noexcept;

    /// What this build's LMDB writes, for Identity::engine: 1 = LMDB 0.9, 2 = LMDB 1.x.
    [[nodiscard]] static std::uint32_t engine_format() noexcept;

private:
    std::shared_ptr<EnvironmentState> state_;  // null after a move; shared with others who opened the file
    bool may_write_ = false;
};

}  // namespace kith::inline v0::detail
