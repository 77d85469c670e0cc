// src/storage/lease.cpp — flock on folders, and the order in which a reader looks and locks.
#include "kith/storage/lease.hpp"

#include "kith/core/error.hpp"
#include "storage/flock.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace kith::inline v0::detail {

std::optional<FolderLease> FolderLease::take(const std::filesystem::path& folder) {
    File opened = File::open_if_there(folder);
    if (!opened.is_open() || !lock_now(opened, LOCK_SH) || !is_current(opened)) return std::nullopt;
    return FolderLease(std::move(opened));
}

std::optional<FolderRetirement> try_retire(const std::filesystem::path& folder) {
    File opened = File::open_if_there(folder);
    if (opened.is_open() && !lock_now(opened, LOCK_EX)) return std::nullopt;
    return FolderRetirement(std::move(opened));
}

std::vector<SharedLease> lease_folders(const std::function<std::vector<std::filesystem::path>()>& read_state,
                                       const std::vector<SharedLease>& held) {
    constexpr int most_tries = 100;
    std::vector<SharedLease> leases = held;
    std::filesystem::path missing;
    std::vector<std::filesystem::path> before;
    std::vector<std::filesystem::path> named = read_state();
    for (int tries = 0; tries < most_tries; ++tries) {
        before = std::move(named);
        missing.clear();
        std::vector<SharedLease> taken;
        for (const std::filesystem::path& folder : before) {
            const auto found = std::find_if(leases.begin(), leases.end(),
                                            [&](const SharedLease& lease) { return lease->folder() == folder; });
            if (found != leases.end()) {
                taken.push_back(*found);
            } else if (std::optional<FolderLease> lease = FolderLease::take(folder)) {
                taken.push_back(std::make_shared<const FolderLease>(std::move(*lease)));
            } else {
                missing = folder;
                break;
            }
        }
        // Those taken in this try are kept for the next.
        for (const SharedLease& lease : taken) {
            if (std::find(leases.begin(), leases.end(), lease) == leases.end()) leases.push_back(lease);
        }
        named = read_state();
        if (named != before) continue;
        if (missing.empty()) return taken;
        // The state names a folder that is gone. A writer that removes one has committed a state without it.
        raise(Errc::corrupt, missing.string() + " is missing (byte 0); the state record names it");
    }
    raise(Errc::locked, before.empty() ? std::string("the segments")
                                       : before.front().parent_path().string() +
                                             ": the writer changes the segments faster than they can be opened; "
                                             "try again");
}

}  // namespace kith::inline v0::detail
