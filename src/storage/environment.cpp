// src/storage/environment.cpp — tables in LMDB, each value under our own checksum; the only door to LMDB.
#include "kith/storage/environment.hpp"

#include "kith/core/bytes.hpp"
#include "kith/core/crc32c.hpp"
#include "kith/core/error.hpp"
#include "kith/storage/file.hpp"
#include "kith/storage/system_error.hpp"
#include "storage/lmdb_file.hpp"
#include "storage/stored_value.hpp"

#include <lmdb.h>

#include <unistd.h>
#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

namespace {

constexpr unsigned max_readers = 1024;
constexpr std::uint64_t least_map_bytes = std::uint64_t{1} << 24;
constexpr mdb_mode_t file_mode = 0644;

MDB_val view_of(std::string_view bytes) noexcept {
    return {bytes.size(), const_cast<char*>(bytes.data())};
}

std::string_view text_of(const MDB_val& value) noexcept {
    return {static_cast<const char*>(value.mv_data), value.mv_size};
}

[[noreturn]] void raise_lmdb(int code, std::string_view operation, const std::filesystem::path& file) {
    if (code > 0) raise_system(code, operation, file);
    const std::string text = file.string() + ": cannot " + std::string(operation) + ": " + ::mdb_strerror(code);
    switch (code) {
        case MDB_CORRUPTED:
        case MDB_PAGE_NOTFOUND:
        case MDB_INVALID:
        case MDB_INCOMPATIBLE:
        case MDB_CURSOR_FULL:
        case MDB_PAGE_FULL:
            raise(Errc::corrupt, text);
        case MDB_VERSION_MISMATCH:
            raise(Errc::unsupported_version, text);
        case MDB_READERS_FULL:
        case MDB_TXN_FULL:
            raise(Errc::limit_exceeded, text);
        case MDB_PANIC:
            raise(Errc::poisoned, text);
        default:
            raise(Errc::io, text);
    }
}

}  // namespace

struct EnvironmentState {
    EnvironmentState(const std::filesystem::path& directory, EnvironmentMode mode, std::uint64_t map_bytes);
    EnvironmentState(const EnvironmentState&) = delete;
    EnvironmentState& operator=(const EnvironmentState&) = delete;
    ~EnvironmentState();

    [[nodiscard]] bool is_ours() const noexcept { return ::getpid() == process; }
    void check_usable() const;
    void check(int code, std::string_view operation) const {
        if (code != 0) raise_lmdb(code, operation, file);
    }

    int open(const std::filesystem::path& directory, unsigned flags);
    void open_tables();

    MDB_txn* take_reader();
    void give_back(MDB_txn* reader) noexcept;
    void resize(std::uint64_t bytes);

    /// Whether all of a value is in the file: past its last byte, reading ends the process with SIGBUS.
    bool lies_in_file(std::string_view stored);

    /// The value without its checksum, once that is right.
    std::string_view checked(Table table, std::string_view key, std::string_view stored);

    std::filesystem::path file;
    EnvironmentMode mode;
    std::uint64_t map_bytes;
    pid_t process = ::getpid();
    MDB_env* environment = nullptr;
    MDB_dbi tables[table_count] = {};
    std::size_t page_bytes = 0;
    bool pages_are_aligned = false;             // to page_bytes, in memory
    std::atomic<std::uint64_t> file_bytes = 0;  // the file is at least so long
    std::atomic<bool> poisoned = false;         // takes no further transaction
    std::atomic<bool> broken = false;           // LMDB stopped halfway: it must not even be closed

    std::mutex writing;            // held by the one writer
    std::mutex mutex;              // guards what follows
    std::condition_variable idle;  // active became 0, or growing false
    std::vector<MDB_txn*> pool;    // reset, ready to be renewed
    std::size_t active = 0;        // transactions that are not in the pool
    bool growing = false;          // no reader may begin: the map is about to move
};

namespace {

// LMDB asks for this instead of ending the process. The error leaves through LMDB's frames, whose state is then
// unknown: the environment takes no further transaction and is never closed.
void on_lmdb_assertion(MDB_env* environment, const char* text) {
    auto* const state = static_cast<EnvironmentState*>(::mdb_env_get_userctx(environment));
    state->poisoned = true;
    state->broken = true;
    raise_damaged(state->file, std::string("LMDB met a page that cannot be: ") + text);
}

}  // namespace

EnvironmentState::EnvironmentState(const std::filesystem::path& directory, EnvironmentMode how, std::uint64_t bytes)
    : file(directory / "data.mdb"), mode(how), map_bytes(std::max(bytes, least_map_bytes)) {
    std::error_code error;
    if (mode != EnvironmentMode::create) {
        check_lmdb_file(file, Environment::engine_format());
    } else if (std::filesystem::exists(file, error)) {
        raise(Errc::already_exists, file.string() + ": exists already");
    }
    const FileLimitGuard guard;
    unsigned flags = MDB_NOTLS | (mode == EnvironmentMode::read_only ? MDB_RDONLY : 0U);
    if (!reserve_lmdb_lock(directory / "lock.mdb", mode != EnvironmentMode::read_only)) flags |= MDB_NOLOCK;
    for (int code = open(directory, flags); code != 0; code = open(directory, flags)) {
        ::mdb_env_close(std::exchange(environment, nullptr));
        const bool no_lock_file = code == EROFS || code == EACCES || code == EPERM;
        if (code == ENOMEM && map_bytes > least_map_bytes) {
            map_bytes = std::max(map_bytes / 2, least_map_bytes);
        } else if (mode == EnvironmentMode::read_only && no_lock_file && (flags & MDB_NOLOCK) == 0) {
            flags |= MDB_NOLOCK;  // nobody can write there, so nobody must be told who reads
        } else {
            raise_lmdb(code, "open", file);
        }
    }
    const std::exception_ptr failed = attempt([&] { open_tables(); });
    if (failed == nullptr) return;
    if (!broken) ::mdb_env_close(environment);
    std::rethrow_exception(failed);
}

EnvironmentState::~EnvironmentState() {
    // In a forked child, LMDB's tables belong to the parent; after an assertion, to nobody.
    if (!is_ours() || broken) return;
    for (MDB_txn* const reader : pool) ::mdb_txn_abort(reader);
    ::mdb_env_close(environment);
}

int EnvironmentState::open(const std::filesystem::path& directory, unsigned flags) {
    if (const int code = ::mdb_env_create(&environment); code != 0) return code;
    ::mdb_env_set_maxdbs(environment, table_count);
    ::mdb_env_set_maxreaders(environment, max_readers);
    ::mdb_env_set_mapsize(environment, static_cast<std::size_t>(map_bytes));
    ::mdb_env_set_userctx(environment, this);
    ::mdb_env_set_assert(environment, on_lmdb_assertion);
    return ::mdb_env_open(environment, directory.c_str(), flags, file_mode);
}

void EnvironmentState::open_tables() {
    const bool is_new = mode == EnvironmentMode::create;
    pool.reserve(std::size_t{2} * max_readers);  // more than there can be: give_back() must not fail
    int dead = 0;
    static_cast<void>(::mdb_reader_check(environment, &dead));
    MDB_stat numbers = {};
    check(::mdb_env_stat(environment, &numbers), "open");
    page_bytes = numbers.ms_psize;
    // A file made where pages are larger than here is mapped to an address that says nothing of its pages.
    pages_are_aligned = page_bytes <= static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    MDB_txn* transaction = nullptr;
    check(::mdb_txn_begin(environment, nullptr, is_new ? 0U : MDB_RDONLY, &transaction), "open");
    for (unsigned table = 0; table < table_count; ++table) {
        const int code = ::mdb_dbi_open(transaction, table_names[table], is_new ? MDB_CREATE : 0U, &tables[table]);
        if (code == 0) continue;
        ::mdb_txn_abort(transaction);
        if (code == MDB_NOTFOUND) raise_damaged(file, std::string("it has no table '") + table_names[table] + "'");
        raise_lmdb(code, "open", file);
    }
    check(::mdb_txn_commit(transaction), "open");
    if (is_new) sync_directory(file.parent_path());
}

void EnvironmentState::check_usable() const {
    if (!is_ours()) {
        raise(Errc::forked, file.string() + ": was opened by process " + std::to_string(process) +
                                ", which forked; open the collection again in this one");
    }
    if (poisoned) {
        raise(Errc::poisoned,
              file.string() + ": an earlier failure left it unknown; close the collection and open it again");
    }
}

MDB_txn* EnvironmentState::take_reader() {
    MDB_txn* reader = nullptr;
    {
        std::unique_lock lock(mutex);
        idle.wait(lock, [&] { return !growing; });
        ++active;
        if (!pool.empty()) {
            reader = pool.back();
            pool.pop_back();
        }
    }
    int code = MDB_SUCCESS;
    if (reader != nullptr) {
        code = ::mdb_txn_renew(reader);
        if (code != 0) ::mdb_txn_abort(reader);
    } else {
        code = ::mdb_txn_begin(environment, nullptr, MDB_RDONLY, &reader);
        int dead = 0;
        if (code == MDB_READERS_FULL && ::mdb_reader_check(environment, &dead) == 0 && dead > 0) {
            code = ::mdb_txn_begin(environment, nullptr, MDB_RDONLY, &reader);
        }
    }
    if (code == 0) return reader;
    give_back(nullptr);
    raise_lmdb(code, "begin to read", file);
}

void EnvironmentState::give_back(MDB_txn* reader) noexcept {
    if (reader != nullptr) ::mdb_txn_reset(reader);
    const std::lock_guard lock(mutex);
    if (reader != nullptr) pool.push_back(reader);
    if (--active == 0) idle.notify_all();
}

void EnvironmentState::resize(std::uint64_t bytes) {
    std::unique_lock lock(mutex);
    growing = true;
    idle.wait(lock, [&] { return active == 0; });
    const int code = ::mdb_env_set_mapsize(environment, static_cast<std::size_t>(bytes));
    growing = false;
    idle.notify_all();
    check(code, "grow the map of");
    map_bytes = bytes;
}

bool EnvironmentState::lies_in_file(std::string_view stored) {
    if (!pages_are_aligned) return true;
    const std::size_t in_page = reinterpret_cast<std::uintptr_t>(stored.data()) % page_bytes;
    std::uint64_t page = 0;  // LMDB writes a page's number at its beginning
    std::memcpy(&page, stored.data() - in_page, sizeof(page));
    const auto lies_within = [&](std::uint64_t pages) {
        return page < pages && stored.size() <= (pages - page) * page_bytes - in_page;
    };
    if (lies_within(file_bytes / page_bytes)) return true;
    file_bytes = File::open_to_read(file).size();  // a commit may have made it longer
    return lies_within(file_bytes / page_bytes);
}

std::string_view EnvironmentState::checked(Table table, std::string_view key, std::string_view stored) {
    if (!lies_in_file(stored)) raise_damaged(file, printed_key(table, key) + ": its value does not lie in the file");
    return checked_value(file, table, key, stored);
}

struct ReadTransaction::Impl {
    explicit Impl(std::shared_ptr<EnvironmentState> environment)
        : state(std::move(environment)), transaction(state->take_reader()) {}
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;
    ~Impl() {
        if (state->is_ours()) state->give_back(transaction);
    }

    std::optional<std::string_view> get(Table table, std::string_view key) const {
        if (key.empty() || key.size() > max_key_bytes) return std::nullopt;
        MDB_val name = view_of(key);
        MDB_val value = {};
        const int code = ::mdb_get(transaction, state->tables[table], &name, &value);
        if (code == MDB_NOTFOUND) return std::nullopt;
        state->check(code, "read");
        return state->checked(table, key, text_of(value));
    }

    std::uint64_t id_of(std::string_view key, std::string_view value) const {
        std::uint64_t id = 0;
        ByteReader reader(value);
        if (!reader.u64(id) || reader.remaining() != 0) {
            raise_damaged(state->file, printed_key(keys, key) + ": its value is not an id");
        }
        return id;
    }

    /// Calls `visit(key, value)` from the first key that is not below `from`, or `back` before it, until it returns
    /// false.
    template <class Visit>
    void scan(Table table, std::string_view from, Visit&& visit, unsigned back = 0) const {
        MDB_cursor* opened = nullptr;
        state->check(::mdb_cursor_open(transaction, state->tables[table], &opened), "read");
        const std::unique_ptr<MDB_cursor, decltype([](MDB_cursor* cursor) { ::mdb_cursor_close(cursor); })> cursor(
            opened);
        MDB_val key = view_of(from);
        MDB_val value = {};
        int code = ::mdb_cursor_get(opened, &key, &value, from.empty() ? MDB_FIRST : MDB_SET_RANGE);
        for (; back > 0; --back) {
            code = ::mdb_cursor_get(opened, &key, &value, code == 0 ? MDB_PREV : MDB_LAST);
            if (code == MDB_NOTFOUND) code = ::mdb_cursor_get(opened, &key, &value, MDB_FIRST);
        }
        for (; code == 0; code = ::mdb_cursor_get(opened, &key, &value, MDB_NEXT)) {
            const std::string_view name = text_of(key);
            if (!visit(name, state->checked(table, name, text_of(value)))) return;
        }
        if (code != MDB_NOTFOUND) state->check(code, "read");
    }

    std::uint64_t count(Table table) const {
        MDB_stat numbers = {};
        state->check(::mdb_stat(transaction, state->tables[table], &numbers), "read");
        return numbers.ms_entries;
    }

    std::shared_ptr<EnvironmentState> state;
    MDB_txn* transaction;
};

ReadTransaction::ReadTransaction(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
ReadTransaction::ReadTransaction(ReadTransaction&&) noexcept = default;
ReadTransaction& ReadTransaction::operator=(ReadTransaction&&) noexcept = default;
ReadTransaction::~ReadTransaction() = default;

std::optional<std::string_view> ReadTransaction::row(std::uint64_t id) const {
    return impl_->get(rows, RowKey(id).text());
}

std::optional<std::uint64_t> ReadTransaction::key(std::string_view key) const {
    const std::optional<std::string_view> value = impl_->get(keys, key);
    if (value.has_value()) return impl_->id_of(key, *value);
    // A key that rotted is not found under its name, but stands beside its place, where its checksum betrays it.
    impl_->scan(keys, key, [left = 2](auto, auto) mutable { return --left > 0; }, 1);
    return std::nullopt;
}

std::optional<std::string_view> ReadTransaction::state(std::string_view name) const {
    return impl_->get(state_records, name);
}

void ReadTransaction::for_each_row(std::uint64_t first, std::uint64_t last,
                                   const std::function<bool(std::uint64_t, std::string_view)>& visit) const {
    impl_->scan(rows, RowKey(first).text(), [&](std::string_view key, std::string_view row) {
        const std::uint64_t id = row_id(key);
        return id <= last && visit(id, row);
    });
}

void ReadTransaction::for_each_key(const std::function<bool(std::string_view, std::uint64_t)>& visit) const {
    impl_->scan(keys, {},
                [&](std::string_view key, std::string_view value) { return visit(key, impl_->id_of(key, value)); });
}

std::uint64_t ReadTransaction::row_count() const {
    return impl_->count(rows);
}
std::uint64_t ReadTransaction::key_count() const {
    return impl_->count(keys);
}

struct WriteTransaction::Impl {
    explicit Impl(EnvironmentState& environment) : state(environment) {
        state.check(::mdb_txn_begin(state.environment, nullptr, 0, &transaction), "begin to write");
    }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;
    ~Impl() {
        if (transaction != nullptr && !state.broken) ::mdb_txn_abort(transaction);
    }

    static void check_key(Table table, std::string_view key) {
        if (key.empty()) raise(Errc::invalid_argument, "a key of no bytes cannot be stored");
        if (key.size() <= max_key_bytes) return;
        raise(Errc::limit_exceeded, printed_key(table, key.substr(0, 32)) + "… has " + std::to_string(key.size()) +
                                        " bytes; a key has at most " + std::to_string(max_key_bytes));
    }

    void put(Table table, std::string_view key, std::string_view value) {
        if (full) return;
        check_key(table, key);
        if (value.size() > max_row_bytes) {
            raise(Errc::limit_exceeded, printed_key(table, key) + " has " + std::to_string(value.size()) +
                                            " bytes; at most " + std::to_string(max_row_bytes) + " can be stored");
        }
        const bool in_order = table == rows && ascending;
        MDB_val place = {value.size() + value_checksum_bytes, nullptr};
        int code = reserve(table, key, place, in_order ? MDB_RESERVE | MDB_APPEND : MDB_RESERVE);
        if (code == MDB_KEYEXIST && in_order) {
            ascending = false;
            place = {value.size() + value_checksum_bytes, nullptr};
            code = reserve(table, key, place, MDB_RESERVE);
        }
        if (!kept(code)) return;
        auto* const bytes = static_cast<char*>(place.mv_data);
        if (!value.empty()) std::memcpy(bytes, value.data(), value.size());
        const std::uint32_t crc = little_endian(value_checksum(table, key, value));
        std::memcpy(bytes + value.size(), &crc, sizeof(crc));
    }

    void erase(Table table, std::string_view key) {
        if (full || key.empty() || key.size() > max_key_bytes) return;
        MDB_val name = view_of(key);
        const int code = ::mdb_del(transaction, state.tables[table], &name, nullptr);
        if (code != MDB_NOTFOUND) static_cast<void>(kept(code));
    }

    /// False when the map was full.
    bool commit() {
        if (full) return false;
        const int code = ::mdb_txn_commit(std::exchange(transaction, nullptr));
        if (code == MDB_MAP_FULL) return false;
        if (code != 0) {
            // After a full disk LMDB goes on from the commit before. Any other failure may have been the sync's, and
            // then nobody knows what the disk holds.
            if (code < 0 || errc_of(code, state.file) != Errc::disk_full) state.poisoned = true;
            raise_lmdb(code, "commit to", state.file);
        }
        return true;
    }

    EnvironmentState& state;
    MDB_txn* transaction = nullptr;  // null once committed

private:
    int reserve(Table table, std::string_view key, MDB_val& place, unsigned flags) const {
        MDB_val name = view_of(key);
        return ::mdb_put(transaction, state.tables[table], &name, &place, flags);
    }

    bool kept(int code) {
        full = code == MDB_MAP_FULL;
        if (!full) state.check(code, "write");
        return !full;
    }

    bool full = false;      // nothing more is put: all of it will be done again in a larger map
    bool ascending = true;  // every row so far came after the last one, which fills pages to the end
};

void WriteTransaction::put_row(std::uint64_t id, std::string_view row) {
    impl_->put(rows, RowKey(id).text(), row);
}
void WriteTransaction::put_key(std::string_view key, std::uint64_t id) {
    const std::uint64_t stored = little_endian(id);
    impl_->put(keys, key, {reinterpret_cast<const char*>(&stored), sizeof(stored)});
}

void WriteTransaction::put_state(std::string_view name, std::string_view record) {
    impl_->put(state_records, name, record);
}

void WriteTransaction::erase_row(std::uint64_t id) {
    impl_->erase(rows, RowKey(id).text());
}
void WriteTransaction::erase_key(std::string_view key) {
    impl_->erase(keys, key);
}

Environment::Environment(const std::filesystem::path& directory, EnvironmentMode mode, std::uint64_t map_bytes)
    : state_(std::make_shared<EnvironmentState>(directory, mode, map_bytes)) {}
Environment::Environment(Environment&&) noexcept = default;
Environment& Environment::operator=(Environment&&) noexcept = default;
Environment::~Environment() = default;

ReadTransaction Environment::read() const {
    state_->check_usable();
    return ReadTransaction(std::make_unique<ReadTransaction::Impl>(state_));
}

void Environment::write(const std::function<void(WriteTransaction&)>& fill) {
    EnvironmentState& state = *state_;
    state.check_usable();
    if (state.mode == EnvironmentMode::read_only) {
        raise(Errc::read_only, state.file.string() + ": the collection was opened for reading");
    }
    const std::lock_guard one_writer(state.writing);
    const FileLimitGuard guard;
    for (;;) {
        {
            WriteTransaction::Impl transaction(state);
            WriteTransaction changes(transaction);
            fill(changes);
            if (transaction.commit()) break;
        }
        state.resize(2 * state.map_bytes);
    }
}

std::uint32_t Environment::engine_format() noexcept {
    return MDB_VERSION_MAJOR == 0 ? lmdb_0_9 : lmdb_1_x;
}

}  // namespace kith::inline v0::detail
