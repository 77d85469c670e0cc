// src/collection/directory_store.cpp — opening, logging and looking up; checkpoint.cpp has the rest.
#include "collection/directory_store.hpp"

#include "collection/layout.hpp"
#include "kith/core/error.hpp"
#include "kith/storage/file.hpp"
#include "kith/storage/log_reader.hpp"
#include "kith/storage/segment_file.hpp"
#include "kith/storage/system_error.hpp"

#include <algorithm>
#include <limits>
#include <system_error>
#include <utility>

namespace kith::inline v0::detail {

namespace {

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

EnvironmentMode environment_mode(const std::filesystem::path& forward, bool writable) {
    if (writable) return EnvironmentMode::read_write;
    return Environment::can_register_readers(forward) ? EnvironmentMode::read_only : EnvironmentMode::read_alone;
}

}  // namespace

DirectoryStore::DirectoryStore(const std::filesystem::path& path, OpenMode mode, const EngineSchema& schema)
    : path_(path),
      mode_(mode),
      schema_(schema),
      identity_(checked_identity(path, schema)),
      lock_(path, writable() ? LockKind::exclusive : LockKind::shared),
      environment_(path / forward_folder, environment_mode(path / forward_folder, writable())),
      state_(read_state()) {
    if (writable()) removed_ = remove_leftovers();
    for (SegmentState& segment : state_.segments) {
        SegmentView view{map_segment(segment.id, segment.count), segment.count, nullptr};
        if (segment.deleted > 0) {
            view.deletes = std::make_shared<DeleteSet>(DeleteSet{std::move(segment.delete_words), segment.deleted});
        }
        committed_.segments.push_back(std::move(view));
    }
}

StateRecord DirectoryStore::read_state() const {
    const ReadTransaction transaction = environment_.read();
    const auto bytes = transaction.state(state_name);
    if (!bytes.has_value()) {
        raise(Errc::corrupt, (path_ / forward_folder / forward_file).string() + ": the state record is missing");
    }
    return decode_state(*bytes, path_ / forward_folder / forward_file);
}

std::filesystem::path DirectoryStore::segment_path(std::uint32_t id) const {
    return detail::segment_path(path_, id);
}

/// Removes what an interrupted checkpoint or merge left: files and rows of segments that the state record does not name.
std::vector<std::string> DirectoryStore::remove_leftovers() {
    std::vector<std::filesystem::path> known;
    for (const SegmentState& segment : state_.segments) known.push_back(segment_path(segment.id));
    std::vector<std::string> removed;
    std::error_code error;
    std::filesystem::directory_iterator entries(path_ / segments_folder, error);
    for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
        const std::filesystem::path& found = entries->path();
        if (std::find(known.begin(), known.end(), found) == known.end()) removed.push_back(found.string());
    }
    if (error) raise_system(error.value(), "list", path_ / segments_folder);
    std::error_code ignored;  // what cannot be removed now is tried again at the next open
    for (const std::string& leftover : removed) std::filesystem::remove_all(leftover, ignored);
    for (const std::uint32_t id : segments_with_rows()) {
        const auto is = [&](const SegmentState& segment) { return segment.id == id; };
        if (std::none_of(state_.segments.begin(), state_.segments.end(), is)) retired_.push_back({id, {}});
    }
    static_cast<void>(attempt([&] { purge(); }));  // on a full disk the leftovers wait
    return removed;
}

std::vector<std::uint32_t> DirectoryStore::segments_with_rows() const {
    std::vector<std::uint32_t> ids;
    const ReadTransaction transaction = environment_.read();
    for (std::optional<std::uint64_t> next = transaction.next_row_id(0); next.has_value();) {
        const std::uint32_t id = RecordId::unpack(*next).segment;
        ids.push_back(id);
        if (id == std::numeric_limits<std::uint32_t>::max()) break;
        next = transaction.next_row_id(RecordId{id + 1, 0}.packed());
    }
    return ids;
}

std::shared_ptr<Segment> DirectoryStore::map_segment(std::uint32_t id, Slot count) const {
    auto files = std::make_shared<std::vector<SegmentFile>>();
    const std::filesystem::path folder = segment_path(id);
    for (std::size_t field = 0; field < schema_.vectors.size(); ++field) {
        for (const Part part : {Part::rows, Part::graph}) {
            files->emplace_back(folder / part_name(schema_.vectors[field].name, part),
                                part_tag(identity_, id, field, part));
        }
    }
    files->emplace_back(folder / keys_name, keys_tag(identity_, id));
    std::vector<std::unique_ptr<VectorIndex>> indexes;
    KeyTable keys;
    const std::exception_ptr failed = attempt([&] {
        for (std::size_t field = 0; field < schema_.vectors.size(); ++field) {
            const VectorFieldType& type = schema_.vectors[field];
            indexes.push_back(
                type.map(type.dim, count, (*files)[2 * field].payload(), (*files)[2 * field + 1].payload()));
        }
        keys = KeyTable(files->back().payload());
    });
    if (failed != nullptr) {
        for (const SegmentFile& file : *files) file.verify();  // damage is told by file and offset
        raise(Errc::unsupported_version, folder.string() + ": " + text_of(failed));
    }
    // Opening reads what says how the files are made up; the rest is checked when it is first needed.
    Segment::Check check = [files](std::size_t part) {
        if (part == Segment::keys_part) return files->back().verify();
        (*files)[2 * part].verify();
        (*files)[2 * part + 1].verify();
    };
    return std::make_shared<Segment>(id, count, std::move(indexes), keys, std::move(check));
}

RecoveryReport DirectoryStore::replay(const std::function<void(std::string_view batch)>& apply) {
    RecoveryReport report;
    const ReplayResult result = replay_log(
        path_ / log_folder, identity_.id, state_.applied_sequence,
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
    if (writable()) {
        log_.emplace(path_ / log_folder, identity_.id, result.last_sequence + 1);
        log_bytes_.store(log_->bytes());
    }
    return report;
}

void DirectoryStore::append(std::string_view batch) {
    log_->append(batch_kind, batch);
    log_bytes_.store(log_->bytes() - passed_log_bytes_);
}

void DirectoryStore::sync() {
    log_->sync();
}

std::uint64_t DirectoryStore::log_bytes() const {
    return log_bytes_.load();
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
        raise(Errc::corrupt, (path_ / forward_folder / forward_file).string() + ": the row of segment " +
                                 std::to_string(id.segment) + ", slot " + std::to_string(id.slot) + " is missing");
    }
    return std::string(*row);
}

}  // namespace kith::inline v0::detail
