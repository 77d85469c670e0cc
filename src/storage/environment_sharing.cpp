// src/storage/environment_sharing.cpp — which files this process has open, so that none is opened twice.
#include "storage/environment_state.hpp"

#include "kith/storage/system_error.hpp"
#include "storage/flock.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <cerrno>
#include <map>
#include <optional>
#include <utility>

namespace kith::inline v0::detail {

namespace {

using FileId = std::pair<dev_t, ino_t>;

/// The environments that are open in one process. A name stays until its file is closed, so whoever opens the file
/// while the last one closes it waits for that.
struct Sharing {
    pid_t process = ::getpid();
    std::mutex mutex;                                        // guards what follows; held while a file is opened
    std::condition_variable closed;                          // a name is gone
    std::map<FileId, std::weak_ptr<EnvironmentState>> open;  // expired: about to be closed
};

/// Never destroyed: the program's last collection may be closed after any other static.
/// A child made by fork begins with an empty one. What it inherited is the parent's, and may be locked for good.
Sharing& sharing() {
    static std::atomic<Sharing*> present = nullptr;
    Sharing* found = present.load();
    while (found == nullptr || found->process != ::getpid()) {
        auto made = std::make_unique<Sharing>();
        if (present.compare_exchange_strong(found, made.get())) return *made.release();
    }
    return *found;
}

FileId id_of(const std::filesystem::path& file) {
    struct stat found = {};
    if (::stat(file.c_str(), &found) != 0) {
        if (errno == ENOENT) raise(Errc::corrupt, file.string() + " is missing (byte 0)");
        raise_system(errno, "look at", file);
    }
    return {found.st_dev, found.st_ino};
}

/// What those who have the file open share. It closes the file before its name goes, so that nobody opens it meanwhile.
struct Shared {
    Shared() = default;
    Shared(const Shared&) = delete;
    Shared& operator=(const Shared&) = delete;
    ~Shared() {
        if (state == nullptr) return;
        if (!state->is_ours()) {
            // The parent's: its name is not in these, and it stays as it is. Its threads may wait on it, and to close any
            // descriptor of LMDB's lock file drops the locks of this process, which may have opened the file for itself.
            static_cast<void>(state.release());
            return;
        }
        const std::lock_guard lock(among->mutex);
        const FileId id = state->file_id;
        state.reset();
        among->open.erase(id);
        among->closed.notify_all();
    }

    std::unique_ptr<EnvironmentState> state;  // null until its name is in `among`
    Sharing* among = nullptr;
};

}  // namespace

std::shared_ptr<EnvironmentState> share_environment(const std::filesystem::path& directory, EnvironmentMode mode,
                                                    std::uint64_t map_bytes) {
    Sharing& here = sharing();
    const std::filesystem::path file = directory / "data.mdb";
    std::shared_ptr<EnvironmentState> state;
    {
        std::unique_lock lock(here.mutex);
        if (mode != EnvironmentMode::create) {
            const FileId id = id_of(file);
            for (auto found = here.open.find(id); found != here.open.end(); found = here.open.find(id)) {
                state = found->second.lock();
                if (state != nullptr) break;
                here.closed.wait(lock);
            }
        }
        if (state == nullptr) {
            // Before the name, which would stay for good, and before the file: closing it again takes the lock.
            const auto shared = std::make_shared<Shared>();
            auto opened = std::make_unique<EnvironmentState>(directory, mode, map_bytes);
            opened->file_id = id_of(file);
            shared->among = &here;
            const auto name = here.open.emplace(opened->file_id, std::weak_ptr<EnvironmentState>()).first;
            shared->state = std::move(opened);
            state = std::shared_ptr<EnvironmentState>(shared, shared->state.get());
            name->second = state;
        }
    }
    state->admit(mode);
    return state;
}

/// LMDB keeps a lock on the first byte of its lock file, shared once it is open. So who gets it exclusive is the only
/// process that has the file open.
bool EnvironmentState::lock_processes(short kind) {
    if (!lock_file_.is_open()) lock_file_ = File::open_to_write(file.parent_path() / "lock.mdb");
    struct flock lock = {};
    lock.l_type = kind;
    lock.l_whence = SEEK_SET;
    lock.l_len = 1;
    return ::fcntl(lock_file_.descriptor(), F_SETLK, &lock) == 0;
}

bool EnvironmentState::is_only_process() {
    return lock_processes(F_WRLCK) && lock_processes(F_RDLCK);
}

void EnvironmentState::open_anew(EnvironmentMode mode, EnvironmentMode otherwise) {
    Sharing& here = sharing();
    // While it is closed another process may put a compacted file in its place, and no one here may open that one twice.
    const std::lock_guard lock(here.mutex);
    auto name = here.open.extract(file_id);
    close();
    const std::exception_ptr failed = attempt([&] { open(mode); });
    poisoned = failed != nullptr && attempt([&] { open(otherwise); }) != nullptr;
    static_cast<void>(attempt([&] { file_id = id_of(file); }));
    if (!name.empty()) name.key() = file_id;
    here.open.insert(std::move(name));
    if (failed != nullptr) std::rethrow_exception(failed);
}

bool EnvironmentState::exchange_file(const std::filesystem::path& newer) {
    const Alone alone(*this);
    Sharing& here = sharing();
    const std::lock_guard lock(here.mutex);
    const std::optional<FolderGate> gate = FolderGate::try_now(file.parent_path(), LOCK_EX);
    if (!gate.has_value() || !lock_processes(F_WRLCK)) return false;  // the latter until close()
    MDB_envinfo info = {};
    check(::mdb_env_info(environment, &info), "read");
    const FileId newer_id = id_of(newer);  // now: once it has the name, nothing may keep this from going on with it
    const std::exception_ptr failed = attempt([&] { rename_durably(newer, file); });
    const bool exchanged = failed == nullptr || ::access(newer.c_str(), F_OK) != 0;
    // It is opened anew in any case, for LMDB's lock file counts the commits of the file that it is beside.
    close();
    const std::exception_ptr closed = attempt([&] { open_gated(EnvironmentMode::read_write); });
    // Whether a name that was not synced is there after a power cut is unknown.
    poisoned = closed != nullptr || (failed != nullptr && exchanged);
    if (exchanged) {
        earlier_commits += info.me_last_txnid;
        auto name = here.open.extract(file_id);
        file_id = newer_id;
        name.key() = file_id;
        here.open.insert(std::move(name));
    }
    if (failed != nullptr) std::rethrow_exception(failed);
    if (closed != nullptr) std::rethrow_exception(closed);
    return true;
}

}  // namespace kith::inline v0::detail
