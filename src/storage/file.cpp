// src/storage/file.cpp — POSIX files, retried where that is right and raised where it is not.
#include "kith/storage/file.hpp"

#include "kith/storage/system_error.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>
#include <cerrno>
#include <memory>
#include <system_error>
#include <utility>

namespace kith::inline v0::detail {

namespace {

constexpr mode_t file_mode = 0644;
constexpr mode_t directory_mode = 0755;
constexpr std::string_view temporary_ending = ".tmp";

/// -1 when it cannot be opened; errno says why.
int try_open(const std::filesystem::path& path, int flags) noexcept {
    for (;;) {
        const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC, file_mode);
        if (descriptor >= 0 || errno != EINTR) return descriptor;
    }
}

int open_descriptor(const std::filesystem::path& path, int flags) {
    const int descriptor = try_open(path, flags);
    if (descriptor < 0) raise_system(errno, (flags & O_CREAT) != 0 ? "create" : "open", path);
    return descriptor;
}

int sync_descriptor(int descriptor) noexcept {
#if defined(__APPLE__)
    if (::fcntl(descriptor, F_FULLFSYNC) == 0) return 0;
    return ::fsync(descriptor);
#else
    return ::fdatasync(descriptor);
#endif
}

std::filesystem::path directory_of(const std::filesystem::path& path) {
    std::filesystem::path directory = path.parent_path();
    return directory.empty() ? std::filesystem::path(".") : directory;
}

std::filesystem::path temporary_name(std::filesystem::path path) {
    path += temporary_ending;
    return path;
}

}  // namespace

File::File(const std::filesystem::path& path, int flags) : path_(path) {
    descriptor_ = open_descriptor(path, flags);  // last: what raises after it would leave the file open
}

File::File(File&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::move(other.path_)) {}

File& File::operator=(File&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    std::swap(path_, other.path_);
    return *this;
}

File::~File() {
    if (is_open()) ::close(descriptor_);
}

File File::open_to_read(const std::filesystem::path& path) {
    return File(path, O_RDONLY);
}
File File::open_if_there(const std::filesystem::path& path) {
    File file;
    file.descriptor_ = try_open(path, O_RDONLY);
    if (file.descriptor_ < 0 && errno != ENOENT) raise_system(errno, "open", path);
    file.path_ = path;
    return file;
}
File File::open_to_write(const std::filesystem::path& path) {
    return File(path, O_RDWR);
}
File File::open_or_create(const std::filesystem::path& path) {
    return File(path, O_RDWR | O_CREAT);
}
File File::create(const std::filesystem::path& path) {
    return File(path, O_RDWR | O_CREAT | O_TRUNC);
}

void File::write_at(std::uint64_t offset, std::string_view head, std::string_view body) {
    const FileLimitGuard guard;
    while (!head.empty() || !body.empty()) {
        // The system takes mutable pointers and only reads through them.
        const struct iovec parts[2] = {{const_cast<char*>(head.data()), head.size()},
                                       {const_cast<char*>(body.data()), body.size()}};
        const ssize_t done = ::pwritev(descriptor_, parts, 2, static_cast<off_t>(offset));
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) raise_system(errno, "write", path_);
        if (done == 0) raise_system(ENOSPC, "write", path_);
        const auto written = static_cast<std::size_t>(done);
        const std::size_t of_head = written < head.size() ? written : head.size();
        head.remove_prefix(of_head);
        body.remove_prefix(written - of_head);
        offset += written;
    }
}

std::size_t File::read_at(std::uint64_t offset, void* bytes, std::size_t count) const {
    std::size_t total = 0;
    while (total < count) {
        const ssize_t done =
            ::pread(descriptor_, static_cast<char*>(bytes) + total, count - total, static_cast<off_t>(offset + total));
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) raise_system(errno, "read", path_);
        if (done == 0) break;
        total += static_cast<std::size_t>(done);
    }
    return total;
}

void File::sync() {
    // Not retried after EINTR either: what a failed sync did to the pages is unknown.
    if (sync_descriptor(descriptor_) != 0) raise_system(errno, "sync", path_);
}

void File::truncate(std::uint64_t bytes) {
    const FileLimitGuard guard;
    while (::ftruncate(descriptor_, static_cast<off_t>(bytes)) != 0) {
        if (errno != EINTR) raise_system(errno, "truncate", path_);
    }
}

void File::forget_cached(std::uint64_t offset, std::uint64_t bytes) const noexcept {
#if defined(POSIX_FADV_DONTNEED)
    static_cast<void>(
        ::posix_fadvise(descriptor_, static_cast<off_t>(offset), static_cast<off_t>(bytes), POSIX_FADV_DONTNEED));
#else
    static_cast<void>(offset), static_cast<void>(bytes);
#endif
}

std::uint64_t File::size() const {
    struct stat status = {};
    if (::fstat(descriptor_, &status) != 0) raise_system(errno, "look at", path_);
    return static_cast<std::uint64_t>(status.st_size);
}

bool make_directory(const std::filesystem::path& path) {
    if (::mkdir(path.c_str(), directory_mode) == 0) return true;
    if (errno == EEXIST) return false;
    raise_system(errno, "make directory", path);
}

void sync_directory(const std::filesystem::path& directory) {
    sync_directory(File::open_to_read(directory.empty() ? std::filesystem::path(".") : directory));
}

void sync_directory(const File& directory) {
    // Some file systems have nothing to sync there and say so.
    if (::fsync(directory.descriptor()) != 0 && errno != EINVAL) {
        raise_system(errno, "sync directory", directory.path());
    }
}

void rename_durably(const std::filesystem::path& from, const std::filesystem::path& to) {
    if (::rename(from.c_str(), to.c_str()) != 0) {
        if (errno == EEXIST || errno == ENOTEMPTY) raise(Errc::already_exists, to.string() + ": exists already");
        raise_system(errno, "rename to " + to.string(), from);
    }
    sync_directory(directory_of(to));
}

TemporaryFile::TemporaryFile(const std::filesystem::path& path)
    : path_(path), file_(File::create(temporary_name(path))) {}

TemporaryFile::~TemporaryFile() {
    if (!published_) ::unlink(file_.path().c_str());
}

void TemporaryFile::publish() {
    file_.sync();
    if (::rename(file_.path().c_str(), path_.c_str()) != 0) raise_system(errno, "rename to its own name", file_.path());
    published_ = true;
    sync_directory(directory_of(path_));
}

void write_file_durably(const std::filesystem::path& directory, const std::string& name, std::string_view bytes) {
    TemporaryFile temporary(directory / name);
    temporary.file().write_at(0, bytes);
    temporary.publish();
}

std::string read_whole_file(const std::filesystem::path& path, std::uint64_t limit) {
    const File file = File::open_to_read(path);
    const std::uint64_t size = file.size();
    if (size > limit) {
        raise(Errc::limit_exceeded, path.string() + ": holds " + std::to_string(size) + " bytes; at most " +
                                        std::to_string(limit) + " are expected");
    }
    std::string bytes(static_cast<std::size_t>(size), '\0');
    bytes.resize(file.read_at(0, bytes.data(), bytes.size()));
    return bytes;
}

bool remove_file(const std::filesystem::path& path) {
    if (::unlink(path.c_str()) == 0) return true;
    if (errno == ENOENT) return false;
    raise_system(errno, "remove", path);
}

std::vector<std::string> names_in(const std::filesystem::path& directory) {
    // Not by std::filesystem::directory_iterator: where memory is short, libstdc++'s ends the program.
    const std::unique_ptr<DIR, decltype([](DIR* entries) { ::closedir(entries); })> entries(
        ::opendir(directory.c_str()));
    if (entries == nullptr) raise_system(errno, "list", directory);
    std::vector<std::string> names;
    for (;;) {
        errno = 0;
        const dirent* const entry = ::readdir(entries.get());
        if (entry == nullptr && errno != 0) raise_system(errno, "list", directory);
        if (entry == nullptr) return names;
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") names.emplace_back(name);
    }
}

void remove_tree(const std::filesystem::path& path) {
    struct stat status = {};
    if (::lstat(path.c_str(), &status) != 0) {
        if (errno == ENOENT) return;
        raise_system(errno, "look at", path);
    }
    if (!S_ISDIR(status.st_mode)) {
        static_cast<void>(remove_file(path));
        return;
    }
    for (const std::string& name : names_in(path)) remove_tree(path / name);
    if (::rmdir(path.c_str()) != 0 && errno != ENOENT) raise_system(errno, "remove", path);
}

std::vector<std::string> remove_temporary_files(const std::filesystem::path& directory) {
    std::vector<std::string> removed;
    for (const std::string& name : names_in(directory)) {
        const std::filesystem::path path = directory / name;
        std::error_code ignored;
        if (path.extension() != temporary_ending || !std::filesystem::is_regular_file(path, ignored)) continue;
        if (remove_file(path)) removed.push_back(path.string());
    }
    return removed;
}

}  // namespace kith::inline v0::detail
