// kith/collection/collection.hpp — the typed front of a collection: your struct in, your struct out.
#pragma once

#include "kith/collection/assign.hpp"
#include "kith/collection/engine.hpp"
#include "kith/collection/estimate.hpp"
#include "kith/collection/field_index.hpp"
#include "kith/collection/hit.hpp"
#include "kith/collection/options.hpp"
#include "kith/collection/reading.hpp"
#include "kith/collection/record_codec.hpp"
#include "kith/collection/recovery.hpp"
#include "kith/collection/snapshot_handle.hpp"
#include "kith/collection/stats.hpp"
#include "kith/collection/vector_bytes.hpp"
#include "kith/core/config.hpp"
#include "kith/core/long_call.hpp"
#include "kith/index/compiled_indexes.hpp"
#include "kith/index/tags.hpp"
#include "kith/index/typed_vector_index.hpp"
#include "kith/query/evaluate.hpp"
#include "kith/schema/schema.hpp"

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace kith::inline v0 {

namespace detail {

/// What the engine needs to know of the schema S.
template <class S>
EngineSchema engine_schema() {
    EngineSchema schema{S::descriptor(), S::fingerprint(), {}, S::fields, &S::show_key, &describe_record_difference};
    const auto add = [&]<std::size_t I>(std::integral_constant<std::size_t, I>) {
        using Attribute = typename S::template VectorAttribute<I>;
        using Metric = typename Attribute::Metric;
        using Element = typename Attribute::Element;
        using Index = FieldIndex<Attribute>;
        schema.vectors.push_back({Attribute::name, Index::name, Attribute::dim, vector_bytes<Element>(Attribute::dim),
                                  &read_vector<Element>, &make_vector_index<Metric, Index, Element>,
                                  &map_vector_index<Metric, Index, Element>, &map_vector_index<Metric, Flat, Element>,
                                  &vector_index_space<Metric, Index, Element>});
    };
    [&]<std::size_t... I>(std::index_sequence<I...>) {
        (add(std::integral_constant<std::size_t, I>{}), ...);
    }(std::make_index_sequence<S::vector_count>{});
    return schema;
}

}  // namespace detail

/// Records of one schema, in a directory or in memory.
///
/// Writes are atomic: a batch is written whole or not at all, and a reader sees it whole or not at all. With a
/// directory, a write that returned is there after a crash, as far as Options::durability promises.
///
/// A collection that was moved from may only be assigned to or destroyed.
///
/// Thread safety: every member function may be called by any number of threads at once, except construction,
/// assignment and destruction. Readers wait for nobody; writers take turns. A callable given to update() must not
/// call the collection.
template <class S>
class Collection : public Reading<Collection<S>, S> {
    static_assert(IsSchema<S>, "kith: Collection needs a kith::Schema<Record, kith::Key<&Record::member>, ...>");

public:
    using Record = typename S::Record;
    using Key = typename S::KeyType;

    /// Opens the collection in the directory `path`, or makes it where there is none (see Options::mode).
    /// Throws: Error with the path: not_found, already_exists, not_a_collection, locked (names the holder),
    /// schema_mismatch (lists the differences), unsupported_version, corrupt (names file and offset), io, disk_full.
    /// Cost: reads the log since the last checkpoint and checks the files of every segment.
    explicit Collection(const std::filesystem::path& path, const Options& options = {})
        : Collection(options, detail::open_durable_store(path, checked(options), detail::engine_schema<S>())) {
        static_assert(KITH_COMPILED != 0 || sizeof(S) == 0,
                      "kith: a collection in a directory needs the compiled unit: link the target kith::kith, or use "
                      "kith::Collection<S> c(kith::in_memory)");
    }

    /// A collection in memory, gone with the object. Needs nothing but the headers.
    explicit Collection(InMemory, const Options& options = {}) : Collection(checked(options), detail::OpenedStore{}) {}

    /// Adds new records, all or none.
    /// Throws: already_exists for a key that is present; invalid_argument for a record that cannot be stored or a key
    /// twice in the batch; the text names record and field, and nothing was written. closed, read_only, poisoned,
    /// disk_full, io, limit_exceeded.
    void insert(std::span<const Record> records) { put(records, detail::OnExisting::refuse); }
    void insert(const Record& record) { insert(std::span(&record, 1)); }

    /// Adds records, all or none; one whose key is present replaces the record there.
    /// Throws: as insert, but for already_exists.
    void upsert(std::span<const Record> records) { put(records, detail::OnExisting::replace); }
    void upsert(const Record& record) { upsert(std::span(&record, 1)); }

    /// Changes the record with `key`: each of `changes` is called with it in turn, as in
    /// `update("id", kith::set<&Article::year>(2024))` or `update("id", [](Article& a) { ++a.year; })`. No other
    /// write comes between reading the record and writing it. A change may run in the thread of another writer, which
    /// serves all that wait.
    /// Throws: not_found when there is no such record; as upsert; invalid_argument for a changed key; and whatever a
    /// change throws. The record is as it was then.
    template <class... Changes>
    void update(const Key& key, Changes&&... changes) {
        static_assert(sizeof...(Changes) > 0 && (std::is_invocable_v<Changes&, Record&> && ...),
                      "kith: update(key, changes...) takes kith::set<&Record::member>(value) or callables on Record&");
        const std::string bytes = S::key_bytes(key);
        const auto prepare = [&] {
            Record record = newest(bytes);
            change(record, bytes, changes...);
            return encode(std::span<const Record>(&record, 1));
        };
        engine_->write(prepare, detail::OnExisting::replace);
    }

    /// Removes the records with these keys, all at once; keys that are not there, or named before, are passed over.
    /// Returns: how many were removed.  Throws: closed, read_only, poisoned, disk_full, io.
    std::size_t erase(std::span<const Key> keys) {
        std::size_t removed = 0;
        const auto prepare = [&] {
            detail::BatchWriter batch;
            std::set<std::string> seen;
            for (const Key& key : keys) {
                const std::string bytes = S::key_bytes(key);
                if (!engine_->newest(bytes).has_value() || !seen.insert(bytes).second) continue;
                batch.erase(bytes);
                ++removed;
            }
            return batch.empty() ? std::string() : batch.take();
        };
        engine_->write(prepare, detail::OnExisting::replace);
        return removed;
    }
    bool erase(const Key& key) { return erase(std::span(&key, 1)) == 1; }

    /// Removes the records that satisfy a condition, all at once: those that do now, and still do when the write comes to
    /// them. Returns how many were removed.
    /// Throws: Errc::invalid_argument for a condition that holds for every record: see erase_all(); as erase; for a text, as
    /// parse_condition.
    template <class... Wanted>
    std::size_t erase_where(const Wanted&... wanted) {
        const auto condition = detail::wanted<Record>(engine_->conditions(), wanted...);
        require_condition("erase_where", condition);
        return erase_those(condition);
    }

    /// Removes every record. Returns how many were removed.  Throws: as erase.
    std::size_t erase_all() { return erase_those({}); }

    /// Changes the records that satisfy a condition as update() does, all or none: those that do now, and still do when the
    /// write comes to them. Returns how many were changed.
    /// Throws: as update; Errc::invalid_argument for a condition that holds for every record: see update_all().
    template <class... Changes>
    std::size_t update_where(const Condition<Record>& condition, Changes&&... changes) {
        static_assert(
            sizeof...(Changes) > 0 && (std::is_invocable_v<Changes&, Record&> && ...),
            "kith: update_where(condition, changes...) takes kith::set<&Record::member>(value) or callables on "
            "Record&");
        require_condition("update_where", condition);
        return update_those(condition, changes...);
    }

    /// Changes every record. Returns how many were changed.  Throws: as update.
    template <class... Changes>
    std::size_t update_all(Changes&&... changes) {
        static_assert(sizeof...(Changes) > 0 && (std::is_invocable_v<Changes&, Record&> && ...),
                      "kith: update_all(changes...) takes kith::set<&Record::member>(value) or callables on Record&");
        return update_those({}, changes...);
    }

    /// The records of this moment, unchanged for as long as the snapshot is held.
    /// Throws: closed, forked.  Cost: none; see Snapshot for what holding it keeps.
    [[nodiscard]] Snapshot<S> snapshot() const { return Snapshot<S>(*engine_); }

    /// Moves a collection that was opened with OpenMode::read_only to the newest state: everything that its writer, in
    /// whichever process, had acknowledged when this was called. Each batch is shown whole or not at all; queries and
    /// snapshots that are under way stay at their moment. A batch may be shown a moment before its writer is told that
    /// it is on the disk. Returns whether anything changed; never anything for the writer itself.
    /// Throws: closed, forked, corrupt, io; locked when the writer makes checkpoints faster than they can be read. The collection is then at the state before or at a later one, which was whole.
    /// Cost: nothing to read when nothing changed; the new batches; after a checkpoint or merge its new segments are
    /// mapped, and the batches after it are applied again.
    bool refresh() { return engine_->refresh(); }

    /// Waits until every record written so far is linked into its graphs. Searches find all records without it; it
    /// only makes their speed even.
    /// Throws: closed, forked; cancelled, timed_out.
    void link(const LongCall& call = {}) { engine_->link(call); }

    /// Moves what is in memory into immutable files and drops the log, so that the next open has nothing to replay.
    /// Writers and readers go on meanwhile; what they write after it began is not part of it. In memory it only links.
    /// Throws: disk_full, io, read_only, poisoned, closed, cancelled, timed_out; the collection goes on as it was, but
    /// poisoned where a sync of the log or of the commit failed: after the latter, reads of sealed records may raise it
    /// too.
    void checkpoint(const LongCall& call = {}) { engine_->checkpoint(call); }

    /// Makes a checkpoint, then merges segments until no dead record takes up space and no two segments fit into one.
    /// Automatic maintenance does as much of it as pays; this is for the day after a great deletion. Writers and readers
    /// go on meanwhile. What a snapshot holds is given back by a later write or call, once that is gone; pages that rows
    /// and keys left free are, where no other process has the collection open. In memory it gives back memory.
    /// Throws: as checkpoint(); what was merged by then stays so.
    /// Cost: every merged record is linked anew.
    void compact(const LongCall& call = {}) { engine_->compact(call); }

    /// Writes a directory that opens as this collection and holds every write that returned before the call, and perhaps
    /// later ones, none without those before it; see BackupOptions. Writers and readers go on meanwhile; sealing and
    /// merging wait.
    /// Throws: as kith::backup; closed, read_only, poisoned; invalid_argument for a collection in memory.
    BackupReport backup(const std::filesystem::path& destination, const BackupOptions& options = {},
                        const LongCall& call = {}) {
        return engine_->backup(destination, options, call);
    }

    /// What `records` of this schema will take, each with a row and a key of these lengths, under `options`.
    [[nodiscard]] static Estimate estimate(std::uint64_t records, RecordBytes record, const Options& options = {}) {
        return detail::estimate(detail::engine_schema<S>(), record, records, options);
    }

    /// What the collection holds, where, and what compact() would give back.
    /// Throws: closed, forked.  Cost: a look at each file of the directory.
    [[nodiscard]] CollectionStats stats() const { return engine_->stats(); }

    /// Makes every write durable and lets go of the directory; later calls raise Errc::closed. Idempotent. The
    /// destructor closes too, but cannot report what goes wrong.
    /// Throws: io, disk_full when the last sync fails, poisoned when an earlier one did; the collection is closed all
    /// the same.
    void close() { engine_->close(); }

    /// What the open found and mended.
    [[nodiscard]] const RecoveryReport& recovery() const noexcept { return engine_->recovery(); }

private:
    friend class Reading<Collection<S>, S>;

    Collection(const Options& options, detail::OpenedStore opened)
        : engine_(std::make_unique<detail::Engine>(detail::engine_schema<S>(), options, std::move(opened))) {}

    static const Options& checked(const Options& options) {
        if (options.segment_capacity == 0 || options.segment_capacity > detail::largest_segment) {
            raise(Errc::invalid_argument, "segment_capacity is " + std::to_string(options.segment_capacity) +
                                              "; it must be between 1 and " + std::to_string(detail::largest_segment));
        }
        constexpr unsigned most_threads = 1024;
        if (options.index_threads == 0 || options.index_threads > most_threads) {
            raise(Errc::invalid_argument, "index_threads is " + std::to_string(options.index_threads) +
                                              "; it must be between 1 and " + std::to_string(most_threads));
        }
        if (options.search_threads == 0 || options.search_threads > most_threads) {
            raise(Errc::invalid_argument, "search_threads is " + std::to_string(options.search_threads) +
                                              "; it must be between 1 and " + std::to_string(most_threads));
        }
        const std::chrono::milliseconds period = options.durability.period();
        if (options.durability.level() == Durability::Level::interval &&
            (period.count() <= 0 || period > std::chrono::hours(24))) {
            raise(Errc::invalid_argument, "the period of Durability::interval is " + std::to_string(period.count()) +
                                              " ms; it must be between 1 ms and 24 hours");
        }
        if (options.follow.count() < 0 || options.follow > std::chrono::hours(24)) {
            raise(Errc::invalid_argument, "Options::follow is " + std::to_string(options.follow.count()) +
                                              " ms; it must be between 0 ms and 24 hours");
        }
        if (options.follow.count() > 0 && options.mode != OpenMode::read_only) {
            raise(Errc::invalid_argument, "Options::follow is for OpenMode::read_only; a writer is always up to date");
        }
        return options;
    }

    [[nodiscard]] detail::Moment moment() const { return *engine_; }

    void put(std::span<const Record> records, detail::OnExisting on_existing) {
        std::string batch = records.empty() ? std::string() : encode(records);
        engine_->write([&] { return std::move(batch); }, on_existing);
    }

    static std::string encode(std::span<const Record> records) {
        detail::BatchWriter batch;
        for (std::size_t i = 0; i < records.size(); ++i) {
            if (const auto problem = S::validate(records[i])) {
                raise(Errc::invalid_argument,
                      "record " + std::to_string(i) + ", " + problem->text + "; nothing was written");
            }
            detail::put_record<S>(records[i], batch);
        }
        return batch.take();
    }

    template <class... Changes>
    static void change(Record& record, const std::string& key, Changes&... changes) {
        (changes(record), ...);
        const std::string changed = S::key_bytes(S::key_of(record));
        if (changed == key) return;
        raise(Errc::invalid_argument, "update of " + S::show_key(key) + " changed its key to " + S::show_key(changed) +
                                          "; nothing was written");
    }

    template <class... Changes>
    std::size_t update_those(const Condition<Record>& condition, Changes&... changes) {
        const std::vector<Key> keys = this->where(condition).keys();
        std::size_t changed = 0;
        const auto prepare = [&] {
            std::vector<Record> records;
            for (const Key& key : keys) {
                const std::string bytes = S::key_bytes(key);
                if (!engine_->newest(bytes).has_value()) continue;
                records.push_back(newest(bytes));
                if (evaluate(condition, records.back())) {
                    change(records.back(), bytes, changes...);
                } else {
                    records.pop_back();
                }
            }
            changed = records.size();
            return records.empty() ? std::string() : encode(records);
        };
        engine_->write(prepare, detail::OnExisting::replace);
        return changed;
    }

    static void require_condition(std::string_view verb, const Condition<Record>& condition) {
        if (condition != Condition<Record>()) return;
        raise(Errc::invalid_argument, std::string(verb) + ": the condition is empty and would hold for every record; " +
                                          "call " + std::string(verb.substr(0, verb.find('_'))) +
                                          "_all() for that. Nothing was written");
    }

    std::size_t erase_those(const Condition<Record>& condition) {
        const std::vector<Key> keys = this->where(condition).keys();
        std::size_t removed = 0;
        const auto prepare = [&] {
            detail::BatchWriter batch;
            removed = 0;
            for (const Key& key : keys) {
                const std::string bytes = S::key_bytes(key);
                const std::optional<detail::RecordId> id = engine_->newest(bytes);
                if (!id.has_value() || !evaluate(condition, newest(bytes))) continue;
                batch.erase(bytes);
                ++removed;
            }
            return batch.empty() ? std::string() : batch.take();
        };
        engine_->write(prepare, detail::OnExisting::replace);
        return removed;
    }

    /// In the writer role: the record an update starts from.
    Record newest(const std::string& bytes) const {
        const auto id = engine_->newest(bytes);
        if (!id.has_value()) raise(Errc::not_found, "update: there is no record with the key " + S::show_key(bytes));
        Record record{};
        if (!S::decode_row(engine_->newest_row(*id), record)) detail::raise_bad_row(*id);
        S::for_each_vector(record, [&](std::size_t field, auto elements) {
            detail::fill_elements(elements, [&](float* out) { engine_->newest_vector(*id, field, out); });
        });
        return record;
    }

    std::unique_ptr<detail::Engine> engine_;  // never null but in a moved-from object
};

}  // namespace kith::inline v0
