// kith/storage/lease.hpp — folders that readers of any process are using, so that the writer removes none of them.
//
// A reader maps the files of a segment for as long as it likes; the writer merges segments and removes the old ones.
// The two meet at the kernel's lock on the segment's folder: each reader holds it shared, the writer takes it
// exclusive before it removes anything, and leaves the folder for later when it cannot. A process that dies lets go.
//
// The writer removes only what the newest state does not name. So a lease that was taken before the state was read, and
// whose folder that state still names, is good for as long as it is held: lease_folders does that in the right order.
//
// Thread safety: any thread may take or drop one.
// Source: flock(2).
#pragma once

#include "kith/storage/file.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

/// While it lives, no writer removes the folder. A child made by fork shares it.
class FolderLease {
public:
    /// Nothing when the folder is gone or is being removed.
    /// Throws: Errc::io.
    [[nodiscard]] static std::optional<FolderLease> take(const std::filesystem::path& folder);

    [[nodiscard]] const std::filesystem::path& folder() const noexcept { return folder_.path(); }

private:
    explicit FolderLease(File folder) noexcept : folder_(std::move(folder)) {}

    File folder_;  // locked
};

/// While it lives, nobody takes a lease of the folder.
class FolderRetirement {
    friend std::optional<FolderRetirement> try_retire(const std::filesystem::path& folder);
    explicit FolderRetirement(File folder) noexcept : folder_(std::move(folder)) {}

    File folder_;  // locked; not open where there was no folder
};

/// Nothing while somebody holds a lease. A folder that is gone already is retired.
/// Requires: the newest state does not name the folder, and the calling process is its writer.
/// Throws: Errc::io.
[[nodiscard]] std::optional<FolderRetirement> try_retire(const std::filesystem::path& folder);

using SharedLease = std::shared_ptr<const FolderLease>;

/// What a reader needs before it maps anything: `read_state` reads the newest state and returns the folders it names.
/// It is called until two calls, before and after the leases were taken, return the same; what it read last is then
/// safe to use. Leases in `held` are taken over instead of taken anew.
/// Returns the leases in the order of the folders.
/// Throws: what `read_state` throws; Errc::corrupt when a folder that the state names is missing; Errc::locked when the
/// writer changes the segments faster than they can be leased; Errc::io.
[[nodiscard]] std::vector<SharedLease> lease_folders(
    const std::function<std::vector<std::filesystem::path>()>& read_state, const std::vector<SharedLease>& held);

}  // namespace kith::inline v0::detail
