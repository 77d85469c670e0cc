// src/storage/environment_compact.cpp — what an environment holds, written to a new file without its free pages.
//
// LMDB's own compacting copy trusts each page, and could not be stopped at a damaged one. So every value is read as
// anybody reads it, its checksum is compared, and it is put into a new environment, in the order of keys, which fills
// pages to the end.
#include "storage/environment_state.hpp"

#include "kith/storage/file.hpp"
#include "kith/storage/system_error.hpp"

#include <string>
#include <utility>

namespace kith::inline v0::detail {

namespace {

constexpr std::size_t piece_bytes = std::size_t{1} << 25;
constexpr std::uint64_t room_bytes = std::uint64_t{1} << 24;  // of the new map, beyond what the old file takes

/// A transaction that writes, given up unless it was committed.
class Piece {
public:
    explicit Piece(EnvironmentState& to) : to_(to), transaction_(to.begin_writing()) {}
    Piece(const Piece&) = delete;
    Piece& operator=(const Piece&) = delete;
    ~Piece() {
        if (transaction_ != nullptr && !to_.broken) ::mdb_txn_abort(transaction_);
    }

    void append(Table table, MDB_val key, MDB_val value) {
        to_.check(::mdb_put(transaction_, to_.tables[table], &key, &value, MDB_APPEND), "write");
    }
    void commit() { to_.check(::mdb_txn_commit(std::exchange(transaction_, nullptr)), "commit to"); }

private:
    EnvironmentState& to_;
    MDB_txn* transaction_;  // null once committed
};

void copy_table(EnvironmentState& from, MDB_txn* reader, EnvironmentState& to, Table table, const LongCall& call) {
    MDB_cursor* opened = nullptr;
    from.check(::mdb_cursor_open(reader, from.tables[table], &opened), "read");
    const Cursor cursor(opened);
    MDB_stat numbers = {};
    from.check(::mdb_stat(reader, from.tables[table], &numbers), "read");
    double done = 0;
    MDB_val key = {};
    MDB_val value = {};
    int code = ::mdb_cursor_get(opened, &key, &value, MDB_FIRST);
    while (code == 0) {
        call.check((static_cast<double>(table) + done / static_cast<double>(numbers.ms_entries)) / table_count);
        Piece piece(to);
        std::size_t bytes = 0;
        for (; code == 0 && bytes < piece_bytes; code = ::mdb_cursor_get(opened, &key, &value, MDB_NEXT)) {
            static_cast<void>(from.checked(table, text_of(key), text_of(value)));
            piece.append(table, key, value);
            bytes += key.mv_size + value.mv_size;
            ++done;
        }
        piece.commit();
    }
    if (code != MDB_NOTFOUND) from.check(code, "read");
}

/// A new environment in a folder of its own with all that `from` holds; the folder goes with this.
class CompactCopy {
public:
    CompactCopy(EnvironmentState& from, const std::filesystem::path& beside, const LongCall& call)
        : folder_(beside.string() + std::string(compact_ending)) {
        remove_tree(folder_);
        make_directory(folder_);
        const std::exception_ptr failed = attempt([&] { fill(from, call); });
        if (failed == nullptr) return;
        clear();
        std::rethrow_exception(failed);
    }
    CompactCopy(const CompactCopy&) = delete;
    CompactCopy& operator=(const CompactCopy&) = delete;
    ~CompactCopy() { clear(); }

    [[nodiscard]] std::filesystem::path file() const { return folder_ / "data.mdb"; }

private:
    void fill(EnvironmentState& from, const LongCall& call) {
        {
            EnvironmentState to(folder_, EnvironmentMode::create, from.size() + room_bytes);
            MDB_txn* const reader = from.take_reader();
            const std::exception_ptr failed = attempt([&] {
                for (const Table table : {rows, keys, state_records}) copy_table(from, reader, to, table, call);
            });
            from.give_back(reader);
            if (failed != nullptr) std::rethrow_exception(failed);
        }
        File::open_to_write(file()).sync();
    }

    void clear() noexcept {
        static_cast<void>(attempt([&] { remove_tree(folder_); }));
    }

    std::filesystem::path folder_;
};

}  // namespace

void Environment::copy_to(const std::filesystem::path& to, const LongCall& call) const {
    state_->check_usable();
    const FileLimitGuard guard;
    const CompactCopy copy(*state_, to, call);
    rename_durably(copy.file(), to);
}

bool Environment::compact(const LongCall& call) {
    constexpr std::uint64_t least_bytes = std::uint64_t{1} << 20;
    state_->check_usable();
    if (!may_write_) raise(Errc::read_only, state_->file.string() + ": the collection was opened for reading");
    const std::lock_guard one_writer(state_->writing);
    const EnvironmentStats now = stats();  // raises where who held it before failed
    const bool pays = now.free_pages * now.page_bytes >= least_bytes && now.free_pages >= now.used_pages / 4;
    if (!pays || !state_->is_only_process()) return false;
    const FileLimitGuard guard;
    const CompactCopy copy(*state_, state_->file, call);
    return state_->exchange_file(copy.file());
}

}  // namespace kith::inline v0::detail
