// src/storage/environment_state.cpp — LMDB opened, its map made larger, its readers let in and out.
#include "storage/environment_state.hpp"

#include "kith/storage/file.hpp"
#include "kith/storage/system_error.hpp"
#include "storage/flock.hpp"
#include "storage/lmdb_file.hpp"

#include <sys/stat.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace kith::inline v0::detail {

namespace {

constexpr unsigned max_readers = 1024;
constexpr std::uint64_t least_map_bytes = std::uint64_t{1} << 24;
constexpr mdb_mode_t file_mode = 0644;
constexpr int most_remaps = 16;  // for one reader, while another process makes the file larger and larger

// LMDB asks for this instead of ending the process. The error leaves through LMDB's frames, whose state is then
// unknown: the environment takes no further transaction and is never closed.
void on_lmdb_assertion(MDB_env* environment, const char* text) {
    auto* const state = static_cast<EnvironmentState*>(::mdb_env_get_userctx(environment));
    state->poisoned = true;
    state->broken = true;
    raise_damaged(state->file, std::string("LMDB met a page that cannot be: ") + text);
}

bool is_to_write(EnvironmentMode mode) noexcept {
    return mode == EnvironmentMode::create || mode == EnvironmentMode::read_write;
}

}  // namespace

void raise_lmdb(int code, std::string_view operation, const std::filesystem::path& file) {
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

EnvironmentState::EnvironmentState(const std::filesystem::path& directory, EnvironmentMode mode,
                                   std::uint64_t map_bytes)
    : file(directory / "data.mdb"), map_bytes_(std::max(map_bytes, least_map_bytes)) {
    std::error_code error;
    if (mode == EnvironmentMode::create && std::filesystem::exists(file, error)) {
        raise(Errc::already_exists, file.string() + ": exists already");
    }
    open(mode);
}

EnvironmentState::~EnvironmentState() {
    close();
}

void EnvironmentState::open(EnvironmentMode mode) {
    // Who exchanges the file holds this lock alone: LMDB opens file and lock file one after the other, and would not
    // notice that they are of two.
    if (mode == EnvironmentMode::read_alone) return open_gated(mode);
    const FolderGate gate = FolderGate::wait(file.parent_path(), LOCK_SH);
    open_gated(mode);
}

/// Requires: a lock on the folder, or that nobody writes.
void EnvironmentState::open_gated(EnvironmentMode mode) {
    if (mode != EnvironmentMode::create) check_lmdb_file(file, Environment::engine_format());
    const FileLimitGuard guard;
    const bool alone = mode == EnvironmentMode::read_alone;
    const std::filesystem::path readers = file.parent_path() / "lock.mdb";
    if (!alone && !reserve_lmdb_lock(readers, is_to_write(mode))) {
        raise(Errc::io, readers.string() + ": cannot be made, so a writer would not know what is read");
    }
    const unsigned flags = MDB_NOTLS | (is_to_write(mode) ? 0U : MDB_RDONLY) | (alone ? MDB_NOLOCK : 0U);
    for (int code = try_open(flags); code != 0; code = try_open(flags)) {
        ::mdb_env_close(std::exchange(environment, nullptr));
        if (code != ENOMEM || map_bytes_ == least_map_bytes) raise_lmdb(code, "open", file);
        map_bytes_ = std::max(map_bytes_ / 2, least_map_bytes);
    }
    writes_ = is_to_write(mode);
    alone_ = alone;
    const std::exception_ptr failed = attempt([&] { open_tables(mode == EnvironmentMode::create); });
    if (failed == nullptr) return;
    close();
    std::rethrow_exception(failed);
}

int EnvironmentState::try_open(unsigned flags) {
    const std::filesystem::path directory = file.parent_path();  // what raises after the next line would leak
    if (const int code = ::mdb_env_create(&environment); code != 0) return code;
    ::mdb_env_set_maxdbs(environment, table_count);
    ::mdb_env_set_maxreaders(environment, max_readers);
    ::mdb_env_set_mapsize(environment, static_cast<std::size_t>(map_bytes_));
    ::mdb_env_set_userctx(environment, this);
    ::mdb_env_set_assert(environment, on_lmdb_assertion);
    return ::mdb_env_open(environment, directory.c_str(), flags, file_mode);
}

void EnvironmentState::open_tables(bool is_new) {
    pool_.reserve(std::size_t{2} * max_readers);  // more than there can be: give_back() must not fail
    clear_dead_readers();
    MDB_stat numbers = {};
    check(::mdb_env_stat(environment, &numbers), "open");
    page_bytes = numbers.ms_psize;
    // A file made where pages are larger than here is mapped to an address that says nothing of its pages.
    pages_are_aligned = page_bytes <= static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    file_bytes = 0;
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

void EnvironmentState::close() noexcept {
    // In a forked child, LMDB's tables belong to the parent; after an assertion, to nobody.
    if (environment == nullptr || !is_ours()) return;
    if (!broken) {
        for (MDB_txn* const reader : pool_) ::mdb_txn_abort(reader);
        ::mdb_env_close(environment);
        lock_file_ = File();
    }
    environment = nullptr;
    pool_.clear();
    broken = false;
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

EnvironmentState::Alone::Alone(EnvironmentState& state) : state_(state), lock_(state.mutex_) {
    state_.idle_.wait(lock_, [this] { return !state_.closed_; });
    state_.closed_ = true;
    state_.idle_.wait(lock_, [this] { return state_.active_ == 0; });
}

EnvironmentState::Alone::~Alone() {
    state_.closed_ = false;
    state_.idle_.notify_all();
}

void EnvironmentState::admit(EnvironmentMode mode) {
    const bool to_write = is_to_write(mode);
    // Who keeps no writer out must not share an opening of which no writer knows.
    const auto fits = [&] {
        return (writes_ || !to_write) && (!alone_ || mode == EnvironmentMode::read_alone) &&
               (!poisoned || writers_ > 0);
    };
    {
        const std::lock_guard lock(mutex_);
        if (fits()) {
            writers_ += to_write ? 1 : 0;
            return;
        }
    }
    const Alone alone(*this);
    if (!fits()) {
        const EnvironmentMode before = writes_  ? EnvironmentMode::read_write
                                       : alone_ ? EnvironmentMode::read_alone
                                                : EnvironmentMode::read_only;
        open_anew(to_write || writers_ > 0 ? EnvironmentMode::read_write : mode, before);
    }
    writers_ += to_write ? 1 : 0;
}

void EnvironmentState::list_readers(MDB_msg_func* note, void* context) {
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return !closed_; });
    check_usable();
    check(::mdb_reader_list(environment, note, context), "measure");
}

void EnvironmentState::writer_left() noexcept {
    const std::lock_guard lock(mutex_);
    --writers_;
}

int EnvironmentState::begin_reading(MDB_txn*& reader) {
    if (reader != nullptr) {
        const int code = ::mdb_txn_renew(reader);
        if (code != 0) ::mdb_txn_abort(std::exchange(reader, nullptr));
        // Where process numbers of two containers meet, the other one may have taken this one's place for a dead one's.
        if (code != MDB_BAD_RSLOT) return code;
    }
    const int code = ::mdb_txn_begin(environment, nullptr, MDB_RDONLY, &reader);
    if (code != MDB_READERS_FULL) return code;
    clear_dead_readers();
    return ::mdb_txn_begin(environment, nullptr, MDB_RDONLY, &reader);
}

MDB_txn* EnvironmentState::take_reader() {
    for (int tries = 0;; ++tries) {
        MDB_txn* reader = nullptr;
        {
            std::unique_lock lock(mutex_);
            idle_.wait(lock, [&] { return !closed_; });
            ++active_;
            if (!pool_.empty()) {
                reader = pool_.back();
                pool_.pop_back();
            }
        }
        const int code = poisoned ? MDB_PANIC : begin_reading(reader);
        if (code == 0) return reader;
        give_back(reader);  // one of the pool where nothing was begun, else null
        if (code == MDB_PANIC) poisoned = true;
        if (code != MDB_MAP_RESIZED || tries == most_remaps) raise_lmdb(code, "begin to read", file);
        follow_growth();
    }
}

void EnvironmentState::give_back(MDB_txn* reader) noexcept {
    if (reader != nullptr) ::mdb_txn_reset(reader);
    const std::lock_guard lock(mutex_);
    if (reader != nullptr) pool_.push_back(reader);
    if (--active_ == 0) idle_.notify_all();
}

MDB_txn* EnvironmentState::begin_writing() {
    clear_dead_readers();
    MDB_txn* transaction = nullptr;
    int code = ::mdb_txn_begin(environment, nullptr, 0, &transaction);
    if (code == MDB_MAP_RESIZED) {
        follow_growth();
        code = ::mdb_txn_begin(environment, nullptr, 0, &transaction);
    }
    if (code == MDB_PANIC) poisoned = true;
    check(code, "begin to write");
    return transaction;
}

/// Requires: alone. False when there is not so much address space; the map then holds what the file holds.
bool EnvironmentState::remap(std::uint64_t bytes) {
    const int code = ::mdb_env_set_mapsize(environment, static_cast<std::size_t>(bytes));
    // LMDB let go of the old map first, and takes no less than the file has.
    const int again = code == ENOMEM ? ::mdb_env_set_mapsize(environment, static_cast<std::size_t>(map_bytes_)) : code;
    if (again != 0) {
        poisoned = true;  // there is no map
        raise_lmdb(again, "grow the map of", file);
    }
    MDB_envinfo info = {};
    check(::mdb_env_info(environment, &info), "read");
    map_bytes_ = info.me_mapsize;
    return code == 0;
}

void EnvironmentState::grow() {
    const Alone alone(*this);
    if (!remap(2 * map_bytes_)) raise_lmdb(ENOMEM, "grow the map of", file);
}

void EnvironmentState::follow_growth() {
    const Alone alone(*this);
    static_cast<void>(remap(std::max(map_bytes_, 2 * size())));
}

void EnvironmentState::clear_dead_readers() noexcept {
    int dead = 0;
    static_cast<void>(::mdb_reader_check(environment, &dead));
}

std::uint64_t EnvironmentState::size() const {
    mdb_filehandle_t opened = -1;
    check(::mdb_env_get_fd(environment, &opened), "look at");
    struct stat found = {};
    if (::fstat(opened, &found) != 0) raise_system(errno, "look at", file);
    return static_cast<std::uint64_t>(found.st_size);
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
    file_bytes = size();  // a commit may have made it longer
    return lies_within(file_bytes / page_bytes);
}

std::string_view EnvironmentState::checked(Table table, std::string_view key, std::string_view stored) {
    if (!lies_in_file(stored)) raise_damaged(file, printed_key(table, key) + ": its value does not lie in the file");
    return checked_value(file, table, key, stored);
}

}  // namespace kith::inline v0::detail
