// src/storage/lock.cpp — flock on `LOCK`, and the name of the one who holds it.
#include "kith/storage/lock.hpp"

#include "kith/core/error.hpp"
#include "storage/flock.hpp"

#include <unistd.h>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <ctime>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace kith::inline v0::detail {

namespace {

constexpr std::size_t max_holder_bytes = 512;

std::string host_name() {
    char host[256] = {};
    if (::gethostname(host, sizeof(host) - 1) != 0) host[0] = '\0';
    return host;
}

// Three lines: process number, host, time in UTC.
std::string describe_self() {
    const std::time_t now = std::time(nullptr);
    std::tm utc = {};
    ::gmtime_r(&now, &utc);
    char when[32] = {};
    std::strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &utc);
    return std::to_string(::getpid()) + '\n' + host_name() + '\n' + when + '\n';
}

// Whether a holder that this machine knows has ended. Its lock then lives in a process that it made by fork.
bool is_gone(const std::string& process, const std::string& host) {
    std::int64_t number = 0;
    const char* const end = process.data() + process.size();
    if (std::from_chars(process.data(), end, number).ptr != end || host != host_name()) return false;
    return ::kill(static_cast<pid_t>(number), 0) != 0 && errno == ESRCH;
}

// "process 1234 on host since 2025-…", from what the holder wrote; less when that is missing or odd.
std::string describe_holder(const File& file) {
    char bytes[max_holder_bytes];
    std::string_view text(bytes, file.read_at(0, bytes, sizeof(bytes)));
    std::string lines[3];
    for (std::string& line : lines) {
        const std::size_t end = text.find('\n');
        if (end == std::string_view::npos) return "another process";
        line = text.substr(0, end);
        text.remove_prefix(end + 1);
    }
    const bool is_self = lines[0] == std::to_string(::getpid());
    const std::string holder = (is_self ? "this process, " : "process ") + lines[0] + " on " + lines[1];
    return holder + " since " + lines[2] + (is_gone(lines[0], lines[1]) ? "; it is dead, and one it forked lives" : "");
}

void lock_or_raise(const std::filesystem::path& directory, const File& file, int operation) {
    // Whoever only looks whether there is a writer holds the lock shared, for a moment.
    constexpr int most_tries = 20;
    constexpr std::chrono::milliseconds moment(1);
    for (int tries = 0; !lock_now(file, operation); ++tries) {
        if (!lock_now(file, LOCK_SH)) {
            raise(Errc::locked, directory.string() + " is open for writing by " + describe_holder(file) +
                                    (operation == LOCK_SH ? "; to read beside it, one must be able to write to "
                                                            "forward/lock.mdb"
                                                          : ""));
        }
        if (lock_now(file, operation)) return;
        if (tries == most_tries) {
            raise(Errc::locked, directory.string() +
                                    " is open for reading by another process or handle that keeps writers "
                                    "out: it verifies, or may not write there");
        }
        static_cast<void>(::flock(file.descriptor(), LOCK_UN));
        std::this_thread::sleep_for(moment);
    }
}

// The file to lock for reading; not open where there is none and none can be made, for then nobody can write.
File open_shared(const std::filesystem::path& path) {
    if (::access(path.c_str(), F_OK) == 0) return File::open_to_read(path);
    if (errno == ENOENT && ::access(path.parent_path().c_str(), W_OK) != 0) return File();
    return File::open_or_create(path);
}

}  // namespace

DirectoryLock::DirectoryLock(const std::filesystem::path& directory, LockKind kind) {
    const std::filesystem::path path = directory / "LOCK";
    const bool exclusive = kind == LockKind::exclusive;
    for (;;) {
        file_ = exclusive ? File::open_or_create(path) : open_shared(path);
        if (!file_.is_open()) return;
        lock_or_raise(directory, file_, exclusive ? LOCK_EX : LOCK_SH);
        if (is_current(file_)) break;
        file_ = File();
    }
    if (!exclusive) return;
    file_.truncate(0);
    // The text only serves another program's error: a full disk must not keep anyone from opening.
    static_cast<void>(attempt([&] { file_.write_at(0, describe_self()); }));
    owner_ = ::getpid();
}

DirectoryLock& DirectoryLock::operator=(DirectoryLock&& other) noexcept {
    std::swap(file_, other.file_);
    std::swap(owner_, other.owner_);
    return *this;
}

DirectoryLock::~DirectoryLock() {
    // Never LOCK_UN: it would release the lock of the parent in a forked child. Closing the last copy does it.
    if (file_.is_open() && owner_ == ::getpid()) static_cast<void>(attempt([&] { file_.truncate(0); }));
}

}  // namespace kith::inline v0::detail
