// src/collection/aside_folder.hpp — a folder that is made beside the name it will have, and appears there whole.
//
// It is locked while it is made: what a process that was killed left there is told from what another one is making.
//
// Thread safety: none; it belongs to one call.
#pragma once

#include "kith/storage/file.hpp"

#include <filesystem>

namespace kith::inline v0::detail {

class AsideFolder {
public:
    /// Makes `<destination>.tmp`, after removing one that nobody is making any more.
    /// Throws: Errc::already_exists when something stands at `destination`; Errc::not_found when the folder around it
    /// does not exist; Errc::locked when another call is making it; Errc::disk_full, Errc::io.
    explicit AsideFolder(const std::filesystem::path& destination);
    AsideFolder(const AsideFolder&) = delete;
    AsideFolder& operator=(const AsideFolder&) = delete;
    ~AsideFolder();  // removes it when it was not published

    [[nodiscard]] const std::filesystem::path& path() const noexcept { return aside_; }

    /// Syncs every folder in it and gives it its name. Requires: every file in it is synced.
    /// Throws: Errc::already_exists, Errc::disk_full, Errc::io.
    void publish();

    /// The same, when the folder at the destination is to be kept under the name `kept`. Between the two renames nothing
    /// stands at the destination.
    /// Throws: Errc::disk_full, Errc::io; both folders then have the names they had.
    void exchange(const std::filesystem::path& kept);

private:
    void sync() const;

    std::filesystem::path destination_;
    std::filesystem::path aside_;
    File lock_;  // the folder, locked
    bool published_ = false;
};

/// `path` as it will be understood from any working directory, without a slash at its end.
/// Throws: Errc::invalid_argument when it is empty; Errc::io.
[[nodiscard]] std::filesystem::path absolute_path(const std::filesystem::path& path);

}  // namespace kith::inline v0::detail
