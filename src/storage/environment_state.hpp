// src/storage/environment_state.hpp — one LMDB environment of this process, whoever shares it; the only door to LMDB.
//
// LMDB forbids one process to open a file twice: closing either would drop the locks of both. So all who open the same
// file in one process share one EnvironmentState (environment_sharing.cpp), whatever path led them to it.
//
// A map that moves would pull the pages from under a transaction. `mutex` and `closed` are the gate: who moves the map
// or opens the file anew (Alone) lets no reader begin and waits for those inside.
//
// Thread safety: any number of threads.
// Source: LMDB 0.9 and 1.x, lmdb.h.
#pragma once

#include "kith/core/error.hpp"
#include "kith/storage/environment.hpp"
#include "kith/storage/file.hpp"
#include "storage/stored_value.hpp"

#include <lmdb.h>

#include <sys/types.h>
#include <unistd.h>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

inline constexpr std::string_view compact_ending = ".compact.tmp";  // on disk: a folder, of whoever compacts

inline MDB_val view_of(std::string_view bytes) noexcept {
    return {bytes.size(), const_cast<char*>(bytes.data())};
}

inline std::string_view text_of(const MDB_val& value) noexcept {
    return {static_cast<const char*>(value.mv_data), value.mv_size};
}

/// Requires: closed before its transaction ends.
using Cursor = std::unique_ptr<MDB_cursor, decltype([](MDB_cursor* cursor) { ::mdb_cursor_close(cursor); })>;

/// Throws: Error, always: LMDB's code or errno value `code` as a sentence that names `file`.
[[noreturn]] void raise_lmdb(int code, std::string_view operation, const std::filesystem::path& file);

struct EnvironmentState {
    EnvironmentState(const std::filesystem::path& directory, EnvironmentMode mode, std::uint64_t map_bytes);
    EnvironmentState(const EnvironmentState&) = delete;
    EnvironmentState& operator=(const EnvironmentState&) = delete;
    ~EnvironmentState();

    /// One more handle uses it. Opens the file anew where this is what the handle needs: to write what was opened to
    /// read, or to begin again after a failure whose writer is gone.
    /// Throws: as Environment's constructor; those who had it open go on as before where that can be.
    void admit(EnvironmentMode mode);
    /// A handle that writes is gone.
    void writer_left() noexcept;

    [[nodiscard]] bool is_ours() const noexcept { return ::getpid() == process; }
    /// Throws: Errc::forked, Errc::poisoned.
    void check_usable() const;
    void check(int code, std::string_view operation) const {
        if (code != 0) raise_lmdb(code, operation, file);
    }

    MDB_txn* take_reader();
    void give_back(MDB_txn* reader) noexcept;
    MDB_txn* begin_writing();

    /// Makes the map larger. Throws: for want of address space; it is then as large as it was.
    void grow();
    /// Makes the map at least as large as another process made the file.
    void follow_growth();

    /// Whether no other process has the file open; one may open it the next moment. Requires: the caller holds `writing`.
    [[nodiscard]] bool is_only_process();

    /// Goes on with the file `newer`, which holds the same and is on the disk, under the name of the present one. False, and
    /// nothing has changed, when another process has that open. Requires: the caller holds `writing`.
    /// Throws: Errc::io, Errc::disk_full; it goes on with either file, or is poisoned.
    bool exchange_file(const std::filesystem::path& newer);

    /// Calls `note` with each line of LMDB's list of readers. Throws: Errc::io.
    void list_readers(MDB_msg_func* note, void* context);

    /// Frees the places of readers whose process is dead: they would keep pages from being used again.
    void clear_dead_readers() noexcept;

    /// How long the file is now.
    [[nodiscard]] std::uint64_t size() const;

    /// Whether all of a value is in the file: past its last byte, reading ends the process with SIGBUS.
    bool lies_in_file(std::string_view stored);

    /// The value without its checksum, once that is right.
    std::string_view checked(Table table, std::string_view key, std::string_view stored);

    std::filesystem::path file;
    pid_t process = ::getpid();
    MDB_env* environment = nullptr;
    MDB_dbi tables[table_count] = {};
    std::size_t page_bytes = 0;
    bool pages_are_aligned = false;             // to page_bytes, in memory
    std::atomic<std::uint64_t> file_bytes = 0;  // the file is at least so long
    std::atomic<bool> poisoned = false;         // takes no further transaction
    std::atomic<bool> broken = false;           // LMDB stopped halfway: it must not even be closed

    std::uint64_t earlier_commits = 0;  // the greatest number of a commit before the last exchange_file

    std::mutex writing;  // held by the one that writes

    std::pair<dev_t, ino_t> file_id{};  // of the file, for who shares it; guarded by their mutex

private:
    /// While it lives no transaction reads.
    class Alone {
    public:
        explicit Alone(EnvironmentState& state);
        ~Alone();
        Alone(const Alone&) = delete;
        Alone& operator=(const Alone&) = delete;

    private:
        EnvironmentState& state_;
        std::unique_lock<std::mutex> lock_;
    };

    void open(EnvironmentMode mode);
    void open_gated(EnvironmentMode mode);
    int try_open(unsigned flags);
    void open_tables(bool is_new);
    void close() noexcept;
    /// Closes the file and opens what stands under its name now, which may be another one. Requires: alone.
    void open_anew(EnvironmentMode mode, EnvironmentMode otherwise);
    int begin_reading(MDB_txn*& reader);
    bool remap(std::uint64_t bytes);
    [[nodiscard]] bool lock_processes(short kind);

    std::uint64_t map_bytes_;
    bool writes_ = false;  // opened to write
    bool alone_ = false;   // opened without LMDB's lock file: no writer learns what is read
    // LMDB's, once lock_processes() asked. To close it drops LMDB's locks, so it stays open as long as the environment.
    File lock_file_;

    std::mutex mutex_;              // guards what follows
    std::condition_variable idle_;  // active_ became 0, or closed_ false
    std::vector<MDB_txn*> pool_;    // reset, ready to be renewed
    std::size_t active_ = 0;        // reading transactions that are not in the pool
    std::size_t writers_ = 0;       // handles that may write
    bool closed_ = false;           // no reader may begin: someone is, or waits to be, alone
};

/// The environment in `directory`, shared with all who have it open in this process.
/// Throws: as Environment's constructor.
std::shared_ptr<EnvironmentState> share_environment(const std::filesystem::path& directory, EnvironmentMode mode,
                                                    std::uint64_t map_bytes);

}  // namespace kith::inline v0::detail
