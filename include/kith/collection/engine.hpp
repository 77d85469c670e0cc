// kith/collection/engine.hpp — a collection without its types: batches in, records and neighbours out.
//
// A write is validated, logged, made durable as far as the durability level says, and then published as the next
// snapshot; a background thread links published records into the graphs, and a search scans what is not linked yet.
// So an acknowledgement never waits for a graph, and a search never misses a record. A second thread seals segments
// into files and merges them. Three roles keep them apart, each taken before the next where more than one is needed:
//
//   merging   one merge at a time, from its beginning to its end
//   keeper    the checkpoint: what is sealed, which segments there are on the disk
//   writer    the log, what is staged, the next snapshot; held shortly by the other two
//
// Thread safety: every public function may be called by any number of threads at once, except that the destructor
// must be the last call. Writers take turns; readers wait for nobody.
#pragma once

#include "kith/collection/backup.hpp"
#include "kith/collection/commit_queue.hpp"
#include "kith/collection/durable_store.hpp"
#include "kith/collection/merge_policy.hpp"
#include "kith/collection/merged_segments.hpp"
#include "kith/collection/next_snapshot.hpp"
#include "kith/collection/relocation.hpp"
#include "kith/collection/search.hpp"
#include "kith/collection/stage.hpp"
#include "kith/collection/stats.hpp"
#include "kith/core/config.hpp"
#include "kith/core/long_call.hpp"
#include "kith/query/condition_cache.hpp"

#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

class MergeBuilder;

/// What a put does with a key that is present.
enum class OnExisting : std::uint8_t { refuse, replace };

class Engine {
public:
    /// A collection in memory, or over `opened` when it holds a store.
    /// Throws: what replaying the log raises.
    Engine(EngineSchema schema, const Options& options, OpenedStore opened);
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    /// A record as a reader found it.
    struct Located {
        std::shared_ptr<const Snapshot> snapshot;
        const SegmentView* view;  // in *snapshot
        RecordId id;
    };

    /// Writes the batch that `prepare` returns; an empty one writes nothing. `prepare` runs while no other write
    /// does, so it may read what it replaces through newest_row and newest_vector.
    /// Throws: what prepare raises; already_exists, invalid_argument (a key twice), closed, read_only, poisoned,
    /// disk_full, io. Nothing of the batch was written then, except that after a failed sync (poisoned from then on)
    /// it may be found at the next open.
    void write(const std::function<std::string()>& prepare, OnExisting on_existing);

    /// For prepare only: the newest version of `key`, which may not be published yet.
    [[nodiscard]] std::optional<RecordId> newest(std::string_view key) const;
    [[nodiscard]] std::string newest_row(RecordId id) const;
    void newest_vector(RecordId id, std::size_t vector_field, float* out) const;

    /// Keeps the collection open while it is held; every reader takes one first.
    /// Throws: Errc::closed, Errc::forked.
    [[nodiscard]] std::shared_lock<std::shared_mutex> enter() const;

    /// Requires, for the five below: an enter() is held.
    [[nodiscard]] std::shared_ptr<const Snapshot> snapshot() const;
    [[nodiscard]] std::optional<Located> locate(std::string_view key) const;
    [[nodiscard]] std::string row(const SegmentView& view, Slot slot) const;
    [[nodiscard]] std::vector<Found> search(const Snapshot& snapshot, const SearchRequest& request) const;
    [[nodiscard]] std::vector<std::vector<Found>> search_many(const Snapshot& snapshot, const SearchRequest& request,
                                                              MatrixView queries, std::span<const Selection> selections,
                                                              unsigned threads) const;

    /// The record with `key` as `present` has it, which may be older than the engine's snapshot.
    [[nodiscard]] std::optional<Located> locate_in(std::shared_ptr<const Snapshot> present, std::string_view key) const;

    /// Moves a reader to the newest state: everything that the writer had acknowledged when it was called, and perhaps
    /// more. False when nothing changed, as always where there is no other writer.
    /// Throws: Errc::closed, Errc::forked; Errc::corrupt, Errc::io, Errc::locked: the reader stays at a state that was
    /// whole.
    bool refresh();

    /// Links the records that are published when it is called into their graphs.
    void link(const LongCall& call);

    /// Seals what is in memory into mapped files and drops the log; in memory it only links. Writers go on meanwhile.
    /// Throws: disk_full, io, read_only, poisoned, closed, cancelled, timed_out; the collection goes on as it was, but
    /// poisoned where a sync of the log or of the commit failed: after the latter, reads of sealed records may raise it
    /// too.
    void checkpoint(const LongCall& call);

    /// Seals, then merges until no record that was dead before is left and no two segments fit into one.
    /// Throws: as checkpoint; what was merged stays so.
    void compact(const LongCall& call);

    /// Writes what is acknowledged to another directory, while writers go on.
    BackupReport backup(const std::filesystem::path& destination, const BackupOptions& options, const LongCall& call);

    [[nodiscard]] CollectionStats stats() const;

    /// Makes every write durable and lets go of the files. Idempotent.
    /// Throws: disk_full, io when the sync fails, poisoned when an earlier one did; it is closed all the same.
    void close();

    [[nodiscard]] const RecoveryReport& recovery() const noexcept { return recovery_; }

    /// The conditions in text that were asked lately.
    [[nodiscard]] ConditionCache& conditions() const noexcept { return conditions_; }

private:
    struct Request {
        const std::function<std::string()>* prepare;
        OnExisting on_existing;
        std::exception_ptr error;
    };

    /// Whether another collection, here or elsewhere, may write what this one shows.
    [[nodiscard]] bool follows() const noexcept { return store_ != nullptr && options_.mode == OpenMode::read_only; }
    bool catch_up();
    bool apply_log();
    bool begin_anew(const StoreBase& base);
    [[nodiscard]] std::optional<RecordId> find_sealed(const Snapshot& present, std::string_view key) const;
    void follow_in_background();

    void require_writable() const;
    [[nodiscard]] bool forked() const noexcept { return ::getpid() != owner_; }
    [[nodiscard]] std::string shown(std::string_view key) const { return schema_.show_key(key); }

    void serve(const std::vector<Request*>& requests);
    void serve_one(const Request& request, NextSnapshot& next);
    std::size_t stage(std::string_view batch, OnExisting on_existing);
    template <class Act>
    void committing(const Act& act);
    void sync_log();
    void make_room(NextSnapshot& next, std::span<const RecordId> deletes);
    void publish(NextSnapshot& next) noexcept;
    void publish_staged();

    void wait_for_memory() const;
    void require_space(std::string_view batch) const;
    void measure_memory() noexcept;

    [[nodiscard]] static std::unique_lock<std::mutex> take(std::mutex& role, const LongCall& call);
    void seal(const LongCall& call);
    std::shared_ptr<const Snapshot> freeze(Checkpoint& checkpoint);
    void publish_written();
    [[nodiscard]] bool seal_is_due() const;

    using ChooseSegments = std::vector<std::size_t> (*)(std::span<const SegmentSize>, Slot capacity);
    bool merge(ChooseSegments choose, const LongCall& call);
    [[nodiscard]] std::uint32_t new_segment_number();
    [[nodiscard]] std::vector<SegmentView> parts_to_merge(ChooseSegments choose);
    [[nodiscard]] bool has_space_for(const std::vector<SegmentView>& parts) const;
    [[nodiscard]] static SegmentSize size_of(const SegmentView& view);
    [[nodiscard]] static std::vector<SegmentSize> sizes_of(const Snapshot& snapshot);
    [[nodiscard]] std::vector<SegmentView> chosen_of(const Snapshot& base, ChooseSegments choose) const;
    void index_merged(const MergeBuilder& builder, const LongCall& call) const;
    void publish_merged();
    void drop_unheld();

    void compact_memory(const LongCall& call);
    void merge_in_background();
    [[nodiscard]] Snapshot ended_in_memory(ChooseSegments choose);
    bool merge_in_memory(ChooseSegments choose, Snapshot& base, const LongCall& call);
    void publish_merged_in_memory(MergedSegments& merged);

    void wake_background();
    void start_background();
    void stop_background();
    template <class Act>
    void run_when_woken(const Act& act);
    void link_in_background();
    void keep_in_background();
    void run_sync_timer();
    void note_trouble(const std::exception_ptr& failed) noexcept;
    [[nodiscard]] LongCall background_call();
    [[nodiscard]] static std::vector<SegmentView> in_memory(const Snapshot& present);
    [[nodiscard]] std::vector<SegmentView> in_memory() const;
    bool link_some(const std::vector<SegmentView>& views);
    void calibrate(const std::vector<SegmentView>& views, const LongCall& call, bool to_seal) const;
    void link_all(const std::vector<SegmentView>& views, const LongCall& call);

    const EngineSchema schema_;
    const Options options_;
    std::unique_ptr<DurableStore> store_;  // null in memory
    const std::string name_;               // where it is, for errors
    const pid_t owner_ = ::getpid();       // the process whose threads and locks these are
    RecoveryReport recovery_;

    mutable std::shared_mutex lifetime_;  // shared by every call, exclusive to close
    std::atomic<bool> closing_{false};    // close() was called: no call begins any more
    bool closed_ = false;                 // guarded by lifetime_

    CommitQueue<Request> queue_;            // gives the writer role
    Stage stage_;                           // the writer role's
    std::shared_ptr<const Snapshot> base_;  // the writer role's: what is staged comes on top of it; null: of snapshot_
    std::optional<StoreBase> newer_base_;   // the writer role's: known to the store, and not published
    RecoveryReport applied_;                // the writer role's: what a reader has taken from the log
    std::atomic<bool> poisoned_{false};     // a sync failed: memory is ahead of what is surely on the disk

    std::mutex merging_;                    // gives the merging role
    std::mutex keeper_;                     // gives the keeper role
    std::optional<MergedSegments> merged_;  // the keeper role's: committed, and not published yet
    std::optional<std::vector<std::shared_ptr<Segment>>> written_;  // the keeper role's: likewise

    mutable std::shared_mutex published_mutex_;  // held for a look-up in memory or an exchange, no longer
    KeyMap keys_;                                // guarded by published_mutex_: changed since the last freeze
    KeyMap frozen_keys_;                         // guarded by published_mutex_: changed before, and not committed
    Relocation relocation_;                      // guarded by published_mutex_: from keys_ to snapshot_, in memory
    std::shared_ptr<const Snapshot> snapshot_;   // guarded by published_mutex_

    std::atomic<std::uint64_t> memory_bytes_ = 0;   // of the records of segments in memory
    std::atomic<std::uint64_t> writing_bytes_ = 0;  // of those, in the segment that is being written
    std::atomic<std::uint64_t> disk_bytes_ = 0;     // without the log, when it was last looked at

    mutable ScratchPool scratch_;
    mutable ConditionCache conditions_;

    /// The threads, and what wakes them.
    struct Background {
        mutable std::mutex mutex;
        std::condition_variable wake;
        std::condition_variable sealed;  // memory was given back, or could not be
        bool stopping = false;           // guarded by mutex
        std::uint64_t arrivals = 0;      // guarded by mutex: how often work arrived
        std::string trouble;             // guarded by mutex: why the last seal or merge failed, empty when none did
        std::thread linker;
        std::thread keeper;
        std::thread sync_timer;  // runs for Durability::interval only
        std::thread follower;    // runs for Options::follow only
    };
    std::unique_ptr<Background> background_ = std::make_unique<Background>();
};

}  // namespace kith::inline v0::detail

#include "kith/collection/engine/background.hpp"
#include "kith/collection/engine/merge.hpp"
#include "kith/collection/engine/merge_memory.hpp"
#include "kith/collection/engine/read.hpp"
#include "kith/collection/engine/refresh.hpp"
#include "kith/collection/engine/seal.hpp"
#include "kith/collection/engine/write.hpp"
