// kith/storage/file.hpp — files that are written whole or not at all, and errors that name them.
//
// The standard streams lose errno, never sync, and cannot cut a file. This is the least that a log and a checksummed
// file need: positioned reads and writes that retry what was interrupted or short, sync, truncate, and the rename
// that makes a file appear complete.
//
// Thread safety: none for one File; the free functions may be called by any thread.
// Source: POSIX.1-2017 pread, pwritev, fdatasync, rename; on macOS F_FULLFSYNC, because fsync stops at the drive.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace kith::inline v0::detail {

class File {
public:
    /// A file that is not open.
    File() = default;
    File(File&& other) noexcept;
    File& operator=(File&& other) noexcept;
    ~File();

    /// Throws: Errc::io, as all of these do, when the file cannot be opened.
    [[nodiscard]] static File open_to_read(const std::filesystem::path& path);

    /// A file or folder, to read; not open when there is none.
    [[nodiscard]] static File open_if_there(const std::filesystem::path& path);

    /// An existing file, to read and write.
    [[nodiscard]] static File open_to_write(const std::filesystem::path& path);

    /// To read and write; made when it is missing, else as it is.
    [[nodiscard]] static File open_or_create(const std::filesystem::path& path);

    /// A new file, to read and write; what stood there before is emptied.
    [[nodiscard]] static File create(const std::filesystem::path& path);

    /// Writes `head`, then `body`, at `offset`.
    /// Throws: Errc::disk_full, Errc::io; any part may have been written.
    void write_at(std::uint64_t offset, std::string_view head, std::string_view body = {});

    /// Reads up to `count` bytes; fewer only when the file ends there.
    /// Throws: Errc::io.
    [[nodiscard]] std::size_t read_at(std::uint64_t offset, void* bytes, std::size_t count) const;

    /// Returns once every byte and the length are on the disk.
    /// Throws: Errc::disk_full, Errc::io; what was not on the disk may be lost, and a later sync proves nothing.
    void sync();

    /// Tells the system that it need not keep these bytes in memory, all of them where `bytes` is 0: those that are on the
    /// disk are read from there when they are next wanted.
    void forget_cached(std::uint64_t offset = 0, std::uint64_t bytes = 0) const noexcept;

    /// Cuts or extends the file to `bytes`. Throws: Errc::io, Errc::disk_full.
    void truncate(std::uint64_t bytes);

    [[nodiscard]] std::uint64_t size() const;
    [[nodiscard]] bool is_open() const noexcept { return descriptor_ >= 0; }
    [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

private:
    File(const std::filesystem::path& path, int flags);

    int descriptor_ = -1;         // owned; -1 when not open
    std::filesystem::path path_;  // for errors
};

/// Makes a directory; false when something stands there already. Throws: Errc::disk_full, Errc::io.
bool make_directory(const std::filesystem::path& path);

/// Returns once every entry of the directory is on the disk. Throws: Errc::io.
void sync_directory(const std::filesystem::path& directory);
void sync_directory(const File& directory);

/// Renames a file or directory and syncs the directory of `to`.
/// Requires: both are in one file system; what `from` holds is synced.
/// Throws: Errc::already_exists when `to` is a directory that holds something; Errc::disk_full, Errc::io.
void rename_durably(const std::filesystem::path& from, const std::filesystem::path& to);

/// Writes `directory/name` so that it is there whole or not at all, whenever the power goes.
/// Ensures: after an error, what stood under that name before is untouched.
/// Throws: Errc::disk_full, Errc::io.
void write_file_durably(const std::filesystem::path& directory, const std::string& name, std::string_view bytes);

/// All bytes of a file. Throws: Errc::io; Errc::limit_exceeded when there are more than `limit`.
[[nodiscard]] std::string read_whole_file(const std::filesystem::path& path, std::uint64_t limit);

/// Removes a file; false when there was none. Throws: Errc::io.
bool remove_file(const std::filesystem::path& path);

/// The names in a directory, in no order. Throws: Errc::io.
[[nodiscard]] std::vector<std::string> names_in(const std::filesystem::path& directory);

/// Removes a file, or a directory and all it holds; nothing where there is none. Throws: Errc::io.
void remove_tree(const std::filesystem::path& path);

/// A file under a temporary name, which publish() gives its own once it is whole; gone when it is never published.
class TemporaryFile {
public:
    /// Throws: Errc::disk_full, Errc::io.
    explicit TemporaryFile(const std::filesystem::path& path);
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    ~TemporaryFile();

    [[nodiscard]] File& file() noexcept { return file_; }

    /// Syncs the file, gives it the name it was made for, and syncs the directory.
    /// Throws: Errc::disk_full, Errc::io.
    void publish();

private:
    std::filesystem::path path_;  // the name to be
    File file_;                   // under the temporary name until published
    bool published_ = false;
};

/// Removes the files in `directory` that a TemporaryFile left when its process was stopped; returns their paths.
/// Throws: Errc::io.
std::vector<std::string> remove_temporary_files(const std::filesystem::path& directory);

}  // namespace kith::inline v0::detail
