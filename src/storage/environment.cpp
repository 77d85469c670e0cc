// src/storage/environment.cpp — the handle of an environment: opened, measured, copied.
#include "kith/storage/environment.hpp"

#include "kith/core/error.hpp"
#include "kith/storage/file.hpp"
#include "kith/storage/system_error.hpp"
#include "storage/environment_state.hpp"
#include "storage/lmdb_file.hpp"

#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace kith::inline v0::detail {

namespace {

constexpr MDB_dbi free_pages_table = 0;  // LMDB's own: commit → the pages it gave back

/// The pages that were given back, in all. They are used again once no reader sees the commit that still had them.
std::uint64_t count_free_pages(const EnvironmentState& state, MDB_txn* transaction) {
    MDB_cursor* opened = nullptr;
    state.check(::mdb_cursor_open(transaction, free_pages_table, &opened), "measure");
    const Cursor cursor(opened);
    std::uint64_t pages = 0;
    MDB_val key = {};
    MDB_val value = {};
    int code = ::mdb_cursor_get(opened, &key, &value, MDB_FIRST);
    for (; code == 0; code = ::mdb_cursor_get(opened, &key, &value, MDB_NEXT)) {
        std::size_t count = 0;  // the list begins with its length
        if (value.mv_size >= sizeof(count)) std::memcpy(&count, value.mv_data, sizeof(count));
        pages += count;
    }
    if (code != MDB_NOTFOUND) state.check(code, "measure");
    return pages;
}

struct Readers {
    std::uint64_t active = 0;
    std::int64_t oldest_process = 0;
    std::uint64_t oldest_commit = ~std::uint64_t{0};
};

/// One line of mdb_reader_list: process number, thread in hexadecimal, and the commit it reads; '-' when none.
int note_reader(const char* line, void* into) {
    auto& readers = *static_cast<Readers*>(into);
    std::string_view rest(line);
    const auto next_word = [&] {
        rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
        const std::string_view word = rest.substr(0, rest.find_first_of(" \n"));
        rest.remove_prefix(word.size());
        return word;
    };
    const std::string_view process = next_word();
    next_word();
    const std::string_view commit = next_word();
    std::int64_t process_number = 0;
    std::uint64_t commit_number = 0;
    const auto parse = [](std::string_view word, auto& number) {
        return std::from_chars(word.data(), word.data() + word.size(), number).ec == std::errc();
    };
    if (!parse(process, process_number) || !parse(commit, commit_number)) return 0;
    ++readers.active;
    if (commit_number < readers.oldest_commit) {
        readers.oldest_commit = commit_number;
        readers.oldest_process = process_number;
    }
    return 0;
}

}  // namespace

Environment::Environment(const std::filesystem::path& directory, EnvironmentMode mode, std::uint64_t map_bytes)
    : may_write_(mode == EnvironmentMode::create || mode == EnvironmentMode::read_write) {
    const std::shared_ptr<EnvironmentState> shared = share_environment(directory, mode, map_bytes);
    state_ = shared;
    if (!may_write_) return;
    // Of a process that ended while it compacted: no other one may write, so nobody is at it.
    static_cast<void>(attempt([&] { remove_tree(shared->file.string() + std::string(compact_ending)); }));
    state_ = std::shared_ptr<EnvironmentState>(shared.get(), [shared](EnvironmentState* state) {
        if (state->is_ours()) state->writer_left();
    });
}
Environment::Environment(Environment&&) noexcept = default;
Environment& Environment::operator=(Environment&&) noexcept = default;
Environment::~Environment() = default;

bool Environment::can_register_readers(const std::filesystem::path& directory) {
    const std::filesystem::path lock_file = directory / "lock.mdb";
    // To open and close it here would drop the locks of whoever has the environment open in this process.
    if (::access(lock_file.c_str(), R_OK | W_OK) == 0) return true;
    return errno == ENOENT && ::access(directory.c_str(), W_OK) == 0 && reserve_lmdb_lock(lock_file, false);
}

EnvironmentStats Environment::stats() const {
    Readers readers;
    state_->list_readers(note_reader, &readers);
    EnvironmentStats stats;
    MDB_txn* const transaction = state_->take_reader();
    const std::exception_ptr failed = attempt([&] {
        MDB_envinfo info = {};
        state_->check(::mdb_env_info(state_->environment, &info), "measure");
        const std::uint64_t newest = ::mdb_txn_id(transaction);
        stats.page_bytes = state_->page_bytes;
        stats.free_pages = count_free_pages(*state_, transaction);
        stats.used_pages = info.me_last_pgno + 1 - std::min(stats.free_pages, info.me_last_pgno + 1);
        stats.file_bytes = state_->size();
        stats.map_bytes = info.me_mapsize;
        stats.readers = readers.active;
        if (readers.active > 0 && readers.oldest_commit < newest) {
            stats.oldest_reader = OldestReader{readers.oldest_process, newest - readers.oldest_commit};
        }
    });
    state_->give_back(transaction);
    if (failed != nullptr) std::rethrow_exception(failed);
    return stats;
}

bool Environment::poisoned() const noexcept {
    return state_->poisoned;
}

std::uint32_t Environment::engine_format() noexcept {
    return MDB_VERSION_MAJOR == 0 ? lmdb_0_9 : lmdb_1_x;
}

}  // namespace kith::inline v0::detail
