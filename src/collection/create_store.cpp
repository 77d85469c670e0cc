// src/collection/create_store.cpp — makes the directory of a new collection, and opens the one that is there.
#include "collection/directory_store.hpp"
#include "collection/layout.hpp"

#include "kith/core/error.hpp"
#include "kith/storage/file.hpp"
#include "kith/storage/file_system.hpp"
#include "kith/storage/system_error.hpp"
#include "storage/flock.hpp"

#include <unistd.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace kith::inline v0::detail {

namespace {

bool is_empty_directory(const std::filesystem::path& path) {
    std::error_code ignored;
    return std::filesystem::is_directory(path, ignored) && names_in(path).empty();
}

/// Who made the collection may have been killed before its name was on the disk; nothing is acknowledged before it is.
void sync_name(const std::filesystem::path& path) {
    const std::filesystem::path around = path.parent_path();
    naming(path.string(), [&] {
        if (::access(around.c_str(), R_OK) == 0) sync_directory(around);
    });
}

bool stands_at(const std::filesystem::path& path) {
    std::error_code error;
    const bool found = std::filesystem::exists(path, error);
    if (error) raise_system(error.value(), "look at", path);
    return found;
}

/// `path` as it will be understood from any working directory, without a slash at its end.
std::filesystem::path resolved(const std::filesystem::path& path) {
    if (path.empty()) raise(Errc::invalid_argument, "the path of the collection is empty");
    std::error_code error;
    std::filesystem::path whole = std::filesystem::absolute(path, error);
    if (!error) whole = std::filesystem::weakly_canonical(whole, error);
    if (error) raise_system(error.value(), "look at", path);
    return whole.has_filename() ? whole : whole.parent_path();
}

/// The folders beside `path` in which it is being made, or was when a process ended: `<name>.new-<id>`.
std::vector<std::filesystem::path> unfinished_beside(const std::filesystem::path& path) {
    const std::string begins = path.filename().string() + std::string(new_ending);
    const std::size_t digits = to_text(CollectionId{}).size();
    std::vector<std::filesystem::path> found;
    for (const std::string& name : names_in(path.parent_path())) {
        if (!name.starts_with(begins) || name.size() != begins.size() + digits) continue;
        if (name.find_first_not_of("0123456789abcdef", begins.size()) == std::string::npos) {
            found.push_back(path.parent_path() / name);
        }
    }
    return found;
}

/// Removes those that no process is making any more. What cannot be removed costs space, nothing else.
void remove_unfinished_beside(const std::filesystem::path& path) {
    static_cast<void>(attempt([&] {
        for (const std::filesystem::path& left : unfinished_beside(path)) {
            std::error_code ignored;
            if (!std::filesystem::is_directory(std::filesystem::symlink_status(left, ignored))) continue;
            const File folder = File::open_if_there(left);
            if (folder.is_open() && lock_now(folder, LOCK_EX) && is_current(folder)) remove_tree(left);
        }
    }));
}

/// A new folder beside `path`, whose lock says that it is being worked on.
struct NewFolder {
    explicit NewFolder(const std::filesystem::path& path) {
        constexpr int most_tries = 10;  // another process may take one for abandoned before it is locked
        for (int tries = 0; tries < most_tries; ++tries) {
            id = make_collection_id();
            aside = path.string() + std::string(new_ending) + to_text(id);
            make_directory(aside);
            bool locked = false;
            const std::exception_ptr failed = attempt([&] {
                lock = File::open_if_there(aside);
                locked = lock.is_open() && lock_now(lock, LOCK_EX) && is_current(lock);
            });
            if (locked) return;
            if (failed == nullptr) continue;
            static_cast<void>(attempt([&] { remove_tree(aside); }));
            std::rethrow_exception(failed);
        }
        raise(Errc::locked, aside.string() + " is removed by another process as soon as it is made");
    }

    CollectionId id;
    std::filesystem::path aside;
    File lock;
};

}  // namespace

void create_directory_store(const std::filesystem::path& path, const EngineSchema& schema) {
    const std::filesystem::path around = path.parent_path();
    if (!stands_at(around)) {
        raise(Errc::not_found,
              path.string() + ": cannot make a collection there, " + around.string() + " does not exist");
    }
    Identity identity;
    identity.engine = Environment::engine_format();
    const NewFolder made(path);
    identity.id = made.id;
    identity.fingerprint = schema.fingerprint;
    identity.schema = schema.descriptor;
    const std::filesystem::path& aside = made.aside;
    const std::exception_ptr failed = attempt([&] {
        for (const std::filesystem::path& folder : {aside / "log", aside / "forward", aside / "segments"}) {
            make_directory(folder);
        }
        static_cast<void>(DirectoryLock(aside, LockKind::exclusive));
        Environment(aside / "forward", EnvironmentMode::create).write([&](WriteTransaction& transaction) {
            transaction.put_state(state_name, encode_state({identity.id, schema.fingerprint, 0, 0, {}}));
        });
        static_cast<void>(LogWriter(aside / "log", identity.id, 1));
        for (const char* folder : {"log", "forward", "segments"}) sync_directory(aside / folder);
        write_identity(aside, identity);
        rename_durably(aside, path);
    });
    if (failed == nullptr) return;
    static_cast<void>(attempt([&] { remove_tree(aside); }));
    std::rethrow_exception(failed);
}

OpenedStore open_durable_store(const std::filesystem::path& given, const Options& options, const EngineSchema& schema) {
    const std::filesystem::path path = resolved(given);
    if (!options.allow_network_filesystem) require_local(path);
    const bool may_create = options.mode == OpenMode::create || options.mode == OpenMode::create_or_open;
    const bool missing = !stands_at(path);
    if (options.mode == OpenMode::create && !missing) raise(Errc::already_exists, path.string() + " exists");
    if (missing && !may_create) raise(Errc::not_found, path.string() + " does not exist");
    if (may_create && (missing || is_empty_directory(path))) {
        const std::exception_ptr failed = attempt([&] { create_directory_store(path, schema); });
        // Another process may have made it meanwhile; then it is opened. One whose own name could not be synced is not: a
        // power cut might take it away with all that is written to it.
        const std::optional<Error> error = as_error(failed);
        const bool is_made = error.has_value() && error->code() == Errc::already_exists;
        if (failed != nullptr && (options.mode == OpenMode::create || !is_made)) std::rethrow_exception(failed);
    }
    if (options.mode != OpenMode::read_only) {
        sync_name(path);
        remove_unfinished_beside(path);
    }
    auto store = std::make_unique<DirectoryStore>(path, options, schema);
    OpenedStore opened;
    opened.snapshot = std::make_shared<const Snapshot>(store->committed());
    opened.next_segment = store->next_segment();
    opened.store = std::move(store);
    return opened;
}

}  // namespace kith::inline v0::detail
