// src/collection/beside_writer.cpp — a directory as a reader sees it: the state record, leased, and the log after it.
#include "collection/directory_store.hpp"

#include "collection/holder.hpp"
#include "collection/layout.hpp"
#include "kith/core/error.hpp"

#include <utility>

namespace kith::inline v0::detail {

/// Reads the newest state record, leases and maps what it names, and begins to follow the log after it. When it raises,
/// everything is as it was.
void DirectoryStore::load_base() {
    StateRecord state;
    std::string stored;
    std::uint64_t commit = 0;
    const auto read_state = [&] {
        const ReadTransaction transaction = environment_.read();
        commit = transaction.commit_number();
        stored = stored_state(transaction);
        state = decode_own_state(stored);
        std::vector<std::filesystem::path> folders;
        for (const SegmentState& segment : state.segments) folders.push_back(segment_path(segment.id));
        return folders;
    };
    std::vector<SharedLease> leases = lease_folders(read_state, leases_);
    LogFollower follower(path_ / log_folder, identity_.id, state.applied_sequence);
    std::swap(state_, state);
    const std::exception_ptr failed = attempt([&] { take_segments(leases); });
    if (failed != nullptr) {
        std::swap(state_, state);
        std::rethrow_exception(failed);
    }
    base_ = std::move(stored);
    base_commit_ = commit;
    leases_ = std::move(leases);
    follower_ = std::move(follower);
}

std::optional<StoreBase> DirectoryStore::newer_base() {
    {
        const ReadTransaction transaction = environment_.read();
        if (transaction.commit_number() == base_commit_) return std::nullopt;
        if (stored_state(transaction) == base_) {
            base_commit_ = transaction.commit_number();
            return std::nullopt;
        }
    }
    load_base();
    return StoreBase{committed_, state_.next_segment};
}

void DirectoryStore::rewind() {
    follower_.emplace(path_ / log_folder, identity_.id, state_.applied_sequence);
    last_sequence_.store(state_.applied_sequence);
}

bool DirectoryStore::follow(const std::function<void(std::string_view batch)>& apply) {
    const auto show = [&](std::uint64_t sequence, std::uint8_t kind, std::string_view payload) {
        check_kind(kind);
        apply(payload);
        last_sequence_.store(sequence);
    };
    const Followed followed = follower_->follow(show);
    return followed == Followed::up_to_date;
}

void DirectoryStore::raise_log_missing() const {
    follower_->raise_missing();
}

RecoveryReport DirectoryStore::followed() {
    RecoveryReport report;
    report.last_sequence = follower_->last_sequence();
    const std::optional<LogTail> tail = follower_->tail();
    if (tail.has_value() && writer_of(path_).empty()) {
        report.torn_tail = TornTail{tail->file, tail->offset, tail->bytes, tail->whole};
    }
    return report;
}

}  // namespace kith::inline v0::detail
