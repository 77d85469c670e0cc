// src/collection/directory_store.cpp — opening, logging and looking up; checkpoint.cpp has the rest.
#include "collection/directory_store.hpp"

#include "collection/layout.hpp"
#include "collection/segment_files.hpp"
#include "kith/core/error.hpp"
#include "kith/storage/file.hpp"
#include "kith/storage/log_reader.hpp"
#include "kith/storage/system_error.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <system_error>
#include <utility>

namespace kith::inline v0::detail {

namespace {

constexpr std::uint32_t no_segment = std::numeric_limits<std::uint32_t>::max();

/// The number of the segment whose folder this is; none for any other name.
std::optional<std::uint32_t> segment_number(const std::filesystem::path& folder) {
    const std::string name = folder.filename().string();
    std::uint32_t number = 0;
    const char* const end = name.data() + name.size();
    const auto parsed = std::from_chars(name.data(), end, number);
    if (parsed.ec != std::errc() || parsed.ptr != end || segment_name(number) != name) return std::nullopt;
    return number;
}

/// The identity of the collection at `path`, once it is known that this build and this schema can read it.
Identity checked_identity(const std::filesystem::path& path, const EngineSchema& schema) {
    Identity identity = read_identity(path);
    if (identity.engine != Environment::engine_format()) {
        raise(Errc::unsupported_version, path.string() + " was made with LMDB file format " +
                                             std::to_string(identity.engine) + "; this build has format " +
                                             std::to_string(Environment::engine_format()));
    }
    const std::string difference = schema.difference(identity.schema, schema.descriptor);
    if (!difference.empty()) {
        raise(Errc::schema_mismatch, path.string() + " holds records of another schema:\n" + difference);
    }
    return identity;
}

EnvironmentMode environment_mode(const std::filesystem::path& path, bool writable) {
    if (writable) return EnvironmentMode::read_write;
    const bool registers = Environment::can_register_readers(path / forward_folder);
    return registers ? EnvironmentMode::read_only : EnvironmentMode::read_alone;
}

/// Nothing for a reader whom the writer sees.
DirectoryLock lock_for(const std::filesystem::path& path, EnvironmentMode mode) {
    if (mode == EnvironmentMode::read_only) return {};
    return {path, mode == EnvironmentMode::read_write ? LockKind::exclusive : LockKind::shared};
}

}  // namespace

DirectoryStore::DirectoryStore(const std::filesystem::path& path, const Options& options, const EngineSchema& schema)
    : path_(path),
      mode_(options.mode),
      scalar_work_bytes_(scalar_work_bytes(options)),
      schema_(schema),
      identity_(checked_identity(path, schema)),
      environment_mode_(environment_mode(path, writable())),
      lock_(lock_for(path, environment_mode_)),
      environment_(path / forward_folder, environment_mode_) {
    if (options.cache_bytes != 0) cache_ = std::make_shared<BlockCache>(options.cache_bytes);
    if (!writable()) {
        load_base();
        return;
    }
    state_ = decode_own_state(stored_state(environment_.read()));
    static_cast<void>(attempt([&] { remove_temporary_files(path_ / forward_folder); }));
    removed_ = remove_leftovers();
    take_segments({});
}

/// Maps the segments of state_, each under its lease where there are any; those that are mapped already are kept.
void DirectoryStore::take_segments(const std::vector<SharedLease>& leases) {
    auto next = std::make_shared<Snapshot>();
    for (std::size_t at = 0; at < state_.segments.size(); ++at) {
        SegmentState& segment = state_.segments[at];
        const auto is = [&](const SegmentView& view) { return view.segment->id() == segment.id; };
        const auto mapped = std::find_if(committed_->segments.begin(), committed_->segments.end(), is);
        SegmentView view{mapped != committed_->segments.end()
                             ? mapped->segment
                             : map_segment(segment.id, segment.count, leases.empty() ? nullptr : leases[at]),
                         segment.count, nullptr};
        if (segment.deleted > 0) {
            view.deletes = std::make_shared<DeleteSet>(DeleteSet{std::move(segment.delete_words), segment.deleted});
        }
        next->segments.push_back(std::move(view));
    }
    committed_ = std::move(next);
}

std::string DirectoryStore::stored_state(const ReadTransaction& transaction) const {
    const auto bytes = transaction.state(state_name);
    if (!bytes.has_value()) {
        raise(Errc::corrupt, (path_ / forward_folder / forward_file).string() + ": the state record is missing");
    }
    return std::string(*bytes);
}

StateRecord DirectoryStore::decode_own_state(std::string_view stored) const {
    StateRecord state = decode_state(stored, path_ / forward_folder / forward_file);
    if (state.collection != identity_.id) {
        raise(Errc::corrupt, (path_ / forward_folder / forward_file).string() + " belongs to another collection");
    }
    return state;
}

std::filesystem::path DirectoryStore::segment_path(std::uint32_t id) const {
    return detail::segment_path(path_, id);
}

/// Removes what an interrupted checkpoint or merge left: files and rows of segments that the state record does not name.
std::vector<std::string> DirectoryStore::remove_leftovers() {
    std::vector<std::filesystem::path> known;
    for (const SegmentState& segment : state_.segments) known.push_back(segment_path(segment.id));
    std::vector<std::string> removed;
    for (const std::string& name : names_in(path_ / segments_folder)) {
        const std::filesystem::path found = path_ / segments_folder / name;
        if (std::find(known.begin(), known.end(), found) == known.end()) removed.push_back(found.string());
    }
    std::vector<std::uint32_t> numbers = segments_with_rows();
    // A segment that a reader process holds waits, files and rows. So does what cannot be removed now.
    const auto waits = [&](const std::string& leftover) {
        const std::optional<FolderRetirement> retirement = try_retire(leftover);
        if (retirement.has_value() && attempt([&] { remove_tree(leftover); }) == nullptr) return false;
        const std::optional<std::uint32_t> number = segment_number(leftover);
        if (number.has_value()) numbers.push_back(*number);
        return true;
    };
    removed.erase(std::remove_if(removed.begin(), removed.end(), waits), removed.end());
    for (const std::uint32_t id : numbers) {
        const auto is = [&](const auto& one) { return one.id == id; };
        if (std::any_of(state_.segments.begin(), state_.segments.end(), is)) continue;
        if (std::none_of(retired_.begin(), retired_.end(), is)) retired_.push_back({id, {}});
        // What is left of it must not become part of a new segment, nor be removed with one.
        if (id >= state_.next_segment && id != no_segment) state_.next_segment = id + 1;
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
        if (id == no_segment) break;
        next = transaction.next_row_id(RecordId{id + 1, 0}.packed());
    }
    return ids;
}

std::shared_ptr<Segment> DirectoryStore::map_segment(std::uint32_t id, Slot count, const SharedLease& lease) const {
    auto files = std::make_shared<SegmentFiles>(segment_path(id), identity_, id, schema_, cache_);
    files->hold(lease);
    return SegmentFiles::map(std::move(files), id, count, schema_);
}

void DirectoryStore::check_kind(std::uint8_t kind) const {
    if (kind == batch_kind) return;
    raise(Errc::unsupported_version, path_.string() + ": the log holds records of kind " + std::to_string(kind) +
                                         ", which this build does not know");
}

RecoveryReport DirectoryStore::replay(const std::function<void(std::string_view batch)>& apply) {
    RecoveryReport report;
    const ReplayResult result = replay_log(
        path_ / log_folder, identity_.id, state_.applied_sequence,
        [&](std::uint64_t, std::uint8_t kind, std::string_view payload) {
            check_kind(kind);
            apply(payload);
        },
        ReplayMode::recover);
    report.replayed_batches = result.records;
    report.last_sequence = result.last_sequence;
    if (result.torn_tail.has_value()) {
        report.torn_tail = TornTail{result.torn_tail->file, result.torn_tail->offset, result.torn_tail->bytes,
                                    result.torn_tail->whole};
    }
    report.removed_files = removed_;
    report.removed_files.insert(report.removed_files.end(), result.removed_files.begin(), result.removed_files.end());
    log_.emplace(path_ / log_folder, identity_.id, result.last_sequence + 1);
    log_bytes_.store(log_->bytes());
    last_sequence_.store(result.last_sequence);
    return report;
}

void DirectoryStore::append(std::string_view batch) {
    last_sequence_.store(log_->append(batch_kind, batch));
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
