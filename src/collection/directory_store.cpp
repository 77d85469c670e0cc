// src/collection/directory_store.cpp — opening, logging, sealing.
#include "collection/directory_store.hpp"

#include "kith/core/error.hpp"
#include "kith/storage/file.hpp"
#include "kith/storage/log_reader.hpp"
#include "kith/storage/segment_file.hpp"
#include "kith/storage/system_error.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

namespace kith::inline v0::detail {

namespace {

constexpr std::string_view state_name = "checkpoint";  // on disk
constexpr std::uint8_t batch_kind = 1;                 // on disk: the kind of every log record so far

enum class Part : std::uint32_t { rows = 0, graph = 1 };  // on disk

SegmentFileTag part_tag(const Identity& identity, std::uint32_t segment, std::size_t vector_field, Part part) {
    return {identity.id, segment, static_cast<std::uint32_t>(2 * vector_field) + static_cast<std::uint32_t>(part)};
}

std::string part_name(const VectorFieldType& field, Part part) {
    return std::string(field.name) + (part == Part::rows ? ".rows" : ".graph");
}

SegmentState state_of(const SegmentView& view) {
    SegmentState state{view.segment->id(), view.count, view.count - view.live(), {}};
    if (state.deleted > 0) state.delete_words = view.deletes->words;
    return state;
}

/// The identity of the collection at `path`, once it is known that this build and this schema can read it.
Identity checked_identity(const std::filesystem::path& path, const EngineSchema& schema) {
    Identity identity = read_identity(path);
    if (identity.engine != Environment::engine_format()) {
        raise(Errc::unsupported_version, path.string() + " was made with LMDB file format " +
                                             std::to_string(identity.engine) + "; this build has format " +
                                             std::to_string(Environment::engine_format()));
    }
    if (identity.schema != schema.descriptor) {
        raise(Errc::schema_mismatch, path.string() + " holds records of another schema:\n" +
                                         schema.difference(identity.schema, schema.descriptor));
    }
    return identity;
}

bool is_empty_directory(const std::filesystem::path& path) {
    std::error_code ignored;
    return std::filesystem::is_directory(path, ignored) && names_in(path).empty();
}

bool stands_at(const std::filesystem::path& path) {
    std::error_code error;
    const bool found = std::filesystem::exists(path, error);
    if (error) raise_system(error.value(), "look at", path);
    return found;
}

/// `path` as it will be understood from any working directory, without a slash at its end.
std::filesystem::path resolved(const std::filesystem::path& path) {
    if (path.empty()) raise(Errc::invalid_argument, "the path of the collection is empty");
    std::error_code error;
    std::filesystem::path whole = std::filesystem::absolute(path, error);
    if (!error) whole = std::filesystem::weakly_canonical(whole, error);
    if (error) raise_system(error.value(), "look at", path);
    return whole.has_filename() ? whole : whole.parent_path();
}

/// Puts `where` before the text of what `read` raises.
template <class Read>
auto naming(const std::string& where, Read&& read) {
    try {
        return read();
    } catch (const Error& error) {
        raise(error.code(), where + ": " + error.what());
    }
}

}  // namespace

void create_directory_store(const std::filesystem::path& path, const EngineSchema& schema) {
    const std::filesystem::path around = path.parent_path();
    if (!stands_at(around)) {
        raise(Errc::not_found,
              path.string() + ": cannot make a collection there, " + around.string() + " does not exist");
    }
    Identity identity;
    identity.engine = Environment::engine_format();
    identity.id = make_collection_id();
    identity.fingerprint = schema.fingerprint;
    identity.schema = schema.descriptor;
    const std::filesystem::path aside = path.string() + ".new-" + to_text(identity.id);
    const std::exception_ptr failed = attempt([&] {
        for (const std::filesystem::path& folder : {aside, aside / "log", aside / "forward", aside / "segments"}) {
            make_directory(folder);
        }
        static_cast<void>(DirectoryLock(aside, LockKind::exclusive));
        Environment(aside / "forward", EnvironmentMode::create).write([&](WriteTransaction& transaction) {
            transaction.put_state(state_name, encode_state({identity.id, schema.fingerprint, 0, 0, {}}));
        });
        static_cast<void>(LogWriter(aside / "log", identity.id, 1));
        for (const char* folder : {"log", "forward", "segments"}) sync_directory(aside / folder);
        write_identity(aside, identity);
        rename_durably(aside, path);
    });
    if (failed == nullptr) return;
    static_cast<void>(attempt([&] { remove_tree(aside); }));
    std::rethrow_exception(failed);
}

OpenedStore open_durable_store(const std::filesystem::path& given, const Options& options, const EngineSchema& schema) {
    const std::filesystem::path path = resolved(given);
    const bool may_create = options.mode == OpenMode::create || options.mode == OpenMode::create_or_open;
    const bool missing = !stands_at(path);
    if (options.mode == OpenMode::create && !missing) raise(Errc::already_exists, path.string() + " exists");
    if (missing && !may_create) raise(Errc::not_found, path.string() + " does not exist");
    if (may_create && (missing || is_empty_directory(path))) {
        const std::exception_ptr failed = attempt([&] { create_directory_store(path, schema); });
        // Another process may have made it meanwhile; then it is opened.
        if (failed != nullptr && (options.mode == OpenMode::create || !stands_at(path / "IDENTITY"))) {
            std::rethrow_exception(failed);
        }
    }
    auto store = std::make_unique<DirectoryStore>(path, options.mode, schema);
    OpenedStore opened;
    opened.snapshot = store->checkpointed();
    opened.next_segment = store->next_segment();
    opened.store = std::move(store);
    return opened;
}

DirectoryStore::DirectoryStore(const std::filesystem::path& path, OpenMode mode, const EngineSchema& schema)
    : path_(path),
      mode_(mode),
      schema_(schema),
      identity_(checked_identity(path, schema)),
      lock_(path, writable() ? LockKind::exclusive : LockKind::shared),
      environment_(path / "forward", writable() ? EnvironmentMode::read_write : EnvironmentMode::read_only),
      state_(read_state()) {
    if (writable()) removed_ = remove_orphans();
    auto snapshot = std::make_shared<Snapshot>();
    for (SegmentState& segment : state_.segments) {
        SegmentView view{map_segment(segment.id, segment.count), segment.count, nullptr};
        if (segment.deleted > 0) {
            view.deletes = std::make_shared<DeleteSet>(DeleteSet{std::move(segment.delete_words), segment.deleted});
        }
        snapshot->segments.push_back(std::move(view));
    }
    checkpointed_ = std::move(snapshot);
}

StateRecord DirectoryStore::read_state() const {
    const ReadTransaction transaction = environment_.read();
    const auto bytes = transaction.state(state_name);
    if (!bytes.has_value()) {
        raise(Errc::corrupt, (path_ / "forward" / "data.mdb").string() + ": the state record is missing");
    }
    StateRecord state = decode_state(*bytes, path_ / "forward" / "data.mdb");
    if (state.collection != identity_.id) {
        raise(Errc::corrupt, (path_ / "forward" / "data.mdb").string() + " belongs to another collection");
    }
    return state;
}

std::filesystem::path DirectoryStore::segment_path(std::uint32_t id) const {
    const std::string digits = std::to_string(id);
    return path_ / "segments" / (std::string(10 - digits.size(), '0') + digits);
}

/// Removes what an interrupted checkpoint left: segments that the state record does not name.
std::vector<std::string> DirectoryStore::remove_orphans() const {
    std::vector<std::filesystem::path> known;
    for (const SegmentState& segment : state_.segments) known.push_back(segment_path(segment.id));
    std::vector<std::string> removed;
    for (const std::string& name : names_in(path_ / "segments")) {
        const std::filesystem::path found = path_ / "segments" / name;
        if (std::find(known.begin(), known.end(), found) == known.end()) removed.push_back(found.string());
    }
    // What cannot be removed now is tried again at the next open.
    for (const std::string& orphan : removed) static_cast<void>(attempt([&] { remove_tree(orphan); }));
    return removed;
}

std::shared_ptr<Segment> DirectoryStore::map_segment(std::uint32_t id, Slot count) const {
    auto files = std::make_shared<std::vector<SegmentFile>>();
    const std::filesystem::path folder = segment_path(id);
    for (std::size_t field = 0; field < schema_.vectors.size(); ++field) {
        for (const Part part : {Part::rows, Part::graph}) {
            files->emplace_back(folder / part_name(schema_.vectors[field], part), part_tag(identity_, id, field, part));
        }
    }
    std::vector<std::unique_ptr<VectorIndex>> indexes;
    for (std::size_t field = 0; field < schema_.vectors.size(); ++field) {
        const VectorFieldType& type = schema_.vectors[field];
        indexes.push_back(naming((folder / part_name(type, Part::rows)).string() + " and .graph", [&] {
            return type.map(type.dim, count, (*files)[2 * field].payload(), (*files)[2 * field + 1].payload());
        }));
    }
    return std::make_shared<Segment>(id, count, std::move(indexes), std::move(files));
}

RecoveryReport DirectoryStore::replay(const std::function<void(std::string_view batch)>& apply) {
    RecoveryReport report;
    const ReplayResult result = replay_log(
        path_ / "log", identity_.id, state_.applied_sequence,
        [&](std::uint64_t, std::uint8_t kind, std::string_view payload) {
            if (kind != batch_kind) {
                raise(Errc::unsupported_version, path_.string() + ": the log holds records of kind " +
                                                     std::to_string(kind) + ", which this build does not know");
            }
            apply(payload);
        },
        writable() ? ReplayMode::recover : ReplayMode::read_only);
    report.replayed_batches = result.records;
    report.last_sequence = result.last_sequence;
    if (result.torn_tail.has_value()) {
        report.torn_tail = TornTail{result.torn_tail->file, result.torn_tail->offset, result.torn_tail->bytes,
                                    result.torn_tail->whole};
    }
    report.removed_files = removed_;
    report.removed_files.insert(report.removed_files.end(), result.removed_files.begin(), result.removed_files.end());
    if (writable()) log_.emplace(path_ / "log", identity_.id, result.last_sequence + 1);
    return report;
}

void DirectoryStore::append(std::string_view batch) {
    log_->append(batch_kind, batch);
}

void DirectoryStore::sync() {
    log_->sync();
}

std::uint64_t DirectoryStore::log_bytes() const {
    return log_->bytes() - passed_log_bytes_;
}

std::optional<RecordId> DirectoryStore::find(std::string_view key) const {
    const std::optional<std::uint64_t> packed = environment_.read().key(key);
    if (!packed.has_value()) return std::nullopt;
    return RecordId::unpack(*packed);
}

std::string DirectoryStore::row(RecordId id) const {
    const ReadTransaction transaction = environment_.read();
    const auto row = transaction.row(id.packed());
    if (!row.has_value()) {
        raise(Errc::corrupt, (path_ / "forward" / "data.mdb").string() + ": the row of segment " +
                                 std::to_string(id.segment) + ", slot " + std::to_string(id.slot) + " is missing");
    }
    return std::string(*row);
}

void DirectoryStore::write_segment(const Segment& segment) const {
    const std::filesystem::path folder = segment_path(segment.id());
    const std::filesystem::path aside = folder.string() + ".tmp";
    remove_tree(aside);
    remove_tree(folder);  // of a checkpoint that failed; no state record names it
    make_directory(aside);
    for (std::size_t field = 0; field < schema_.vectors.size(); ++field) {
        const auto write = [&](Part part) {
            write_segment_file(aside / part_name(schema_.vectors[field], part),
                               part_tag(identity_, segment.id(), field, part), [&](const ByteSink& sink) {
                                   if (part == Part::rows) {
                                       segment.index(field).save_rows(sink);
                                   } else {
                                       segment.index(field).save_graph(sink);
                                   }
                               });
        };
        write(Part::rows);
        write(Part::graph);
    }
    sync_directory(aside);
    rename_durably(aside, folder);
}

std::shared_ptr<const Snapshot> DirectoryStore::seal(const Snapshot& snapshot, const KeyMap& keys,
                                                     std::uint32_t next_segment) {
    auto sealed = std::make_shared<Snapshot>(snapshot);
    const std::uint64_t newest = log_->next_sequence() - 1;
    if (newest == state_.applied_sequence) return sealed;
    log_->sync();
    // After a commit that failed halfway the state record may name the folders that are written below. The environment
    // then takes no transaction, and nothing is touched.
    static_cast<void>(environment_.read());
    StateRecord next{identity_.id, schema_.fingerprint, newest, next_segment, {}};
    for (SegmentView& view : sealed->segments) {
        if (!view.segment->sealed()) {
            write_segment(*view.segment);
            view.segment = map_segment(view.segment->id(), view.count);
        }
        next.segments.push_back(state_of(view));
    }
    commit(snapshot, keys, next);
    state_ = std::move(next);
    // What is left of the log is replayed over and passed by: a failure here costs space, nothing else.
    static_cast<void>(attempt([&] {
        log_->rotate();
        log_->remove_files_before(newest + 1);
    }));
    passed_log_bytes_ = log_->bytes();
    return sealed;
}

void DirectoryStore::commit(const Snapshot& snapshot, const KeyMap& keys, const StateRecord& state) {
    environment_.write([&](WriteTransaction& transaction) {
        for (const SegmentView& view : snapshot.segments) {
            if (view.segment->sealed()) continue;
            const BitsetView allowed = view.allowed();
            for (Slot slot = 0; slot < view.count; ++slot) {
                if (!allowed.allows(slot)) continue;
                transaction.put_row(RecordId{view.segment->id(), slot}.packed(), view.segment->row(slot));
            }
        }
        for (const auto& [key, id] : keys) {
            if (id.has_value()) {
                transaction.put_key(key, id->packed());
            } else {
                transaction.erase_key(key);
            }
        }
        transaction.put_state(state_name, encode_state(state));
    });
}

}  // namespace kith::inline v0::detail
