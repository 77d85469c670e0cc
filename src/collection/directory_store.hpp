// src/collection/directory_store.hpp — a collection's directory: log, environment and sealed segments together.
//
// Thread safety: as DurableStore.
#pragma once

#include "kith/collection/durable_store.hpp"
#include "kith/collection/state_record.hpp"
#include "kith/storage/block_cache.hpp"
#include "kith/storage/environment.hpp"
#include "kith/storage/identity.hpp"
#include "kith/storage/lease.hpp"
#include "kith/storage/lock.hpp"
#include "kith/storage/log_follower.hpp"
#include "kith/storage/log_writer.hpp"

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kith::inline v0::detail {

/// Makes a new collection that appears at `path`, which is absolute, complete or not at all.
/// Throws: not_found (the folder around it), already_exists, disk_full, io.
void create_directory_store(const std::filesystem::path& path, const EngineSchema& schema);

class DirectoryStore final : public DurableStore {
public:
    /// Opens what create_directory_store made. Throws: as open_durable_store.
    DirectoryStore(const std::filesystem::path& path, const Options& options, const EngineSchema& schema);

    [[nodiscard]] std::uint32_t next_segment() const noexcept { return state_.next_segment; }

    [[nodiscard]] const std::filesystem::path& path() const noexcept override { return path_; }
    std::optional<StoreBase> newer_base() override;
    void rewind() override;
    bool follow(const std::function<void(std::string_view batch)>& apply) override;
    [[nodiscard]] RecoveryReport followed() override;
    [[noreturn]] void raise_log_missing() const override;

    RecoveryReport replay(const std::function<void(std::string_view batch)>& apply) override;
    void append(std::string_view batch) override;
    void sync() override;
    [[nodiscard]] bool poisoned() const noexcept override {
        return environment_.poisoned() || (log_.has_value() && log_->poisoned());
    }
    [[nodiscard]] std::uint64_t last_sequence() const noexcept override { return last_sequence_.load(); }
    [[nodiscard]] std::uint64_t log_bytes() const override;
    [[nodiscard]] std::optional<RecordId> find(std::string_view key) const override;
    [[nodiscard]] std::string row(RecordId id) const override;

    std::uint64_t end_log_file() override;
    std::shared_ptr<Segment> write_segment(const SegmentImage& image, const LongCall& call) override;
    void commit(const Checkpoint& checkpoint) override;
    std::vector<std::filesystem::path> release_log() override;
    [[nodiscard]] std::uint64_t committed_sequence() const override { return state_.applied_sequence; }
    [[nodiscard]] const Snapshot& committed() const override { return *committed_; }
    void copy_rows(const MergedSegments& merged, const LongCall& call) override;
    void commit_merge(const MergedSegments& merged) override;
    void purge() override;
    void give_back(const LongCall& call) override { static_cast<void>(environment_.compact(call)); }
    [[nodiscard]] StoreBytes bytes() const override;
    BackupReport backup(const std::filesystem::path& destination, const BackupOptions& options,
                        const LongCall& call) const override;

private:
    [[nodiscard]] bool writable() const noexcept { return mode_ != OpenMode::read_only; }
    [[nodiscard]] std::filesystem::path segment_path(std::uint32_t id) const;

    [[nodiscard]] std::string stored_state(const ReadTransaction& transaction) const;
    [[nodiscard]] StateRecord decode_own_state(std::string_view stored) const;
    void check_kind(std::uint8_t kind) const;
    void load_base();
    void take_segments(const std::vector<SharedLease>& leases);
    [[nodiscard]] std::vector<std::string> remove_leftovers();
    [[nodiscard]] std::vector<std::uint32_t> segments_with_rows() const;
    [[nodiscard]] std::shared_ptr<Segment> map_segment(std::uint32_t id, Slot count,
                                                       const SharedLease& lease = nullptr) const;
    void write_scalars(const SegmentImage& image, const std::filesystem::path& folder, const LongCall& call) const;
    void write_state(WriteTransaction& transaction, std::uint64_t sequence, std::uint32_t next_segment,
                     const Snapshot& snapshot) const;

    /// A segment that no state record names, and that a snapshot may still hold.
    struct Retired {
        std::uint32_t id = 0;
        std::weak_ptr<Segment> segment;
    };

    std::filesystem::path path_;
    OpenMode mode_;
    std::size_t scalar_work_bytes_;  // see there
    EngineSchema schema_;
    Identity identity_;
    EnvironmentMode environment_mode_;  // of environment_; lock_ keeps out whom it does not tell
    DirectoryLock lock_;
    Environment environment_;
    std::shared_ptr<BlockCache> cache_;  // of sealed vectors and graphs; null where they are mapped whole
    StateRecord state_;                  // the last checkpoint's, but for its segments once it is open
    // The segments of the last checkpoint, all mapped, and its deletes; never null.
    std::shared_ptr<const Snapshot> committed_ = std::make_shared<const Snapshot>();
    std::vector<std::string> removed_;  // leftovers that opening removed

    std::optional<LogWriter> log_;                  // from replay() on, when writable
    std::uint64_t passed_log_bytes_ = 0;            // of log_->bytes(), what the last checkpoint of this run holds
    std::uint64_t ended_log_bytes_ = 0;             // log_->bytes() when end_log_file was called
    std::atomic<std::uint64_t> log_bytes_ = 0;      // the log since the last checkpoint, for any thread
    std::atomic<std::uint64_t> last_sequence_ = 0;  // of the newest batch, for any thread

    std::vector<SharedLease> leases_;      // a reader's: of the segments in committed_
    std::string base_;                     // a reader's: the state record of committed_, as it is stored
    std::uint64_t base_commit_ = 0;        // the newest commit of the environment that had that state record
    std::optional<LogFollower> follower_;  // a reader's: of the log after committed_

    mutable std::mutex retired_mutex_;
    std::vector<Retired> retired_;  // guarded by retired_mutex_
};

}  // namespace kith::inline v0::detail
