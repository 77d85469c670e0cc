// src/collection/checkpoint.cpp — segments become files, and a transaction says which of them count.
#include "collection/directory_store.hpp"
#include "collection/layout.hpp"

#include "kith/collection/backup.hpp"
#include "kith/collection/scalar_files.hpp"
#include "kith/core/error.hpp"
#include "kith/storage/file.hpp"
#include "kith/storage/segment_file.hpp"
#include "kith/storage/system_error.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

namespace kith::inline v0::detail {

namespace {

SegmentState state_of(const SegmentView& view) {
    SegmentState state{view.segment->id(), view.count, view.count - view.live(), {}};
    if (state.deleted > 0) state.delete_words = view.deletes->words;
    return state;
}

std::uint64_t bytes_in(const std::filesystem::path& folder) {
    std::uint64_t bytes = 0;
    for (const std::string& name : names_in(folder)) {
        std::error_code ignored;  // it may just have been removed
        const std::uintmax_t size = std::filesystem::file_size(folder / name, ignored);
        if (!ignored) bytes += size;
    }
    return bytes;
}

}  // namespace

std::uint64_t DirectoryStore::end_log_file() {
    log_->sync();
    // Without a new file, on a full disk, the old one goes on; it is removed with a later checkpoint.
    static_cast<void>(attempt([&] { log_->rotate(); }));
    ended_log_bytes_ = log_->bytes();
    return log_->next_sequence() - 1;
}

std::shared_ptr<Segment> DirectoryStore::write_segment(const SegmentImage& image, const LongCall& call) {
    // After a commit that failed halfway the state record may name the folder that is written below. The environment
    // then takes no transaction, and nothing is touched.
    static_cast<void>(environment_.read());
    const std::filesystem::path folder = segment_path(image.id);
    const std::filesystem::path aside = folder.string() + std::string(unfinished_ending);
    remove_tree(aside);
    remove_tree(folder);  // of a checkpoint that failed; no state record names it
    make_directory(aside);
    std::shared_ptr<Segment> segment;
    const std::exception_ptr failed = attempt([&] {
        for (std::size_t field = 0; field < schema_.vectors.size(); ++field) {
            const auto write = [&](Part part, auto&& save) {
                call.check(static_cast<double>(2 * field + static_cast<std::size_t>(part)) /
                           static_cast<double>(2 * schema_.vectors.size()));
                write_segment_file(aside / part_name(schema_.vectors[field].name, part),
                                   part_tag(identity_, image.id, field, part), save,
                                   part == Part::graph ? schema_.vectors[field].index : std::string_view());
            };
            const VectorIndex& index = *image.indexes[field];
            write(Part::rows, [&](const ByteSink& sink) { index.save_rows(sink); });
            write(Part::graph, [&](const ByteSink& sink) { index.save_graph(sink); });
        }
        write_segment_file(aside / keys_name, keys_tag(identity_, image.id),
                           [&](const ByteSink& sink) { write_key_table(image.keys, sink); });
        write_scalars(image, aside, call);
        sync_directory(aside);
        rename_durably(aside, folder);
        segment = map_segment(image.id, image.count);
    });
    if (failed != nullptr) {
        static_cast<void>(attempt([&] { remove_tree(aside); }));
        static_cast<void>(attempt([&] { remove_tree(folder); }));
        std::rethrow_exception(failed);
    }
    return segment;
}

void DirectoryStore::write_scalars(const SegmentImage& image, const std::filesystem::path& folder,
                                   const LongCall& call) const {
    const ScalarSource source{schema_.fields, image.count, image.row};
    const auto write = [&](std::optional<std::size_t> index_of, const std::function<void(const ByteSink&)>& produce) {
        if (index_of.has_value()) {
            write_segment_file(folder / index_name(schema_.fields[*index_of].name),
                               index_tag(identity_, image.id, *index_of), produce);
        } else {
            write_segment_file(folder / columns_name, columns_tag(identity_, image.id), produce);
        }
    };
    write_scalar_files(source, scalar_work_bytes_, write, call);
}

void DirectoryStore::write_state(WriteTransaction& transaction, std::uint64_t sequence, std::uint32_t next_segment,
                                 const Snapshot& snapshot) const {
    StateRecord state{identity_.id, identity_.fingerprint, sequence, next_segment, {}};
    for (const SegmentView& view : snapshot.segments) state.segments.push_back(state_of(view));
    transaction.put_state(state_name, encode_state(state));
}

void DirectoryStore::commit(const Checkpoint& checkpoint) {
    auto next = std::make_shared<Snapshot>(*checkpoint.snapshot);
    for (SegmentView& view : next->segments) {
        const auto is = [&](const std::shared_ptr<Segment>& segment) { return segment->id() == view.segment->id(); };
        const auto written = std::find_if(checkpoint.written.begin(), checkpoint.written.end(), is);
        if (written != checkpoint.written.end()) view.segment = *written;
    }
    const auto fill = [&](WriteTransaction& transaction) {
        for (const SegmentView& view : checkpoint.snapshot->segments) {
            if (view.segment->sealed()) continue;
            const BitsetView allowed = view.allowed();
            for (Slot slot = 0; slot < view.count; ++slot) {
                if (!allowed.allows(slot)) continue;
                transaction.put_row(RecordId{view.segment->id(), slot}.packed(), view.segment->row(slot));
            }
        }
        for (const auto& [key, id] : *checkpoint.keys) {
            if (id.has_value()) {
                transaction.put_key(key, id->packed());
            } else {
                transaction.erase_key(key);
            }
        }
        write_state(transaction, checkpoint.sequence, checkpoint.next_segment, *next);
    };
    const std::exception_ptr failed = attempt([&] { environment_.write(fill); });
    if (failed != nullptr) {
        // The log holds it all, and needs the room. Where the commit may be on the disk nothing is touched.
        for (const std::shared_ptr<Segment>& segment : checkpoint.written) {
            if (!environment_.poisoned()) static_cast<void>(attempt([&] { remove_tree(segment_path(segment->id())); }));
        }
        std::rethrow_exception(failed);
    }
    state_.applied_sequence = checkpoint.sequence;
    state_.next_segment = checkpoint.next_segment;
    committed_ = std::move(next);
}

std::vector<std::filesystem::path> DirectoryStore::release_log() {
    const std::uint64_t before = log_->bytes();
    std::vector<std::filesystem::path> released = log_->release_files_before(state_.applied_sequence + 1);
    passed_log_bytes_ = ended_log_bytes_ - (before - log_->bytes());
    log_bytes_.store(log_->bytes() - passed_log_bytes_);
    return released;
}

void DirectoryStore::copy_rows(const MergedSegments& merged, const LongCall& call) {
    constexpr std::size_t piece_bytes = std::size_t{1} << 25;
    {
        const std::lock_guard lock(retired_mutex_);
        retired_.push_back({merged.segment->id(), merged.segment});  // until a state record names it
    }
    std::vector<std::pair<std::uint64_t, std::string>> rows;
    std::size_t bytes = 0;
    const auto put = [&] {
        environment_.write([&](WriteTransaction& transaction) {
            for (const auto& [id, row] : rows) transaction.put_row(id, row);
        });
        rows.clear();
        bytes = 0;
    };
    for (const MovedSegment& part : merged.parts) {
        for (Slot slot = 0; slot < part.to.size(); ++slot) {
            if (part.to[slot] == no_slot) continue;
            rows.emplace_back(RecordId{merged.segment->id(), part.to[slot]}.packed(), row({part.from->id(), slot}));
            bytes += rows.back().second.size();
            if (bytes < piece_bytes) continue;
            call.check(static_cast<double>(part.to[slot]) / static_cast<double>(merged.segment->size()));
            put();
        }
    }
    if (!rows.empty()) put();
}

void DirectoryStore::commit_merge(const MergedSegments& merged) {
    auto next = std::make_shared<Snapshot>();
    for (const SegmentView& view : committed_->segments) {
        const auto is = [&](const MovedSegment& part) { return part.from->id() == view.segment->id(); };
        if (std::none_of(merged.parts.begin(), merged.parts.end(), is)) next->segments.push_back(view);
    }
    if (merged.segment != nullptr) next->segments.push_back(merged.view(*committed_));
    std::sort(next->segments.begin(), next->segments.end(),
              [](const SegmentView& a, const SegmentView& b) { return a.segment->id() < b.segment->id(); });
    const std::uint32_t next_segment = std::max(state_.next_segment, merged.next_segment);
    {
        const std::lock_guard lock(retired_mutex_);
        retired_.reserve(retired_.size() + merged.parts.size());  // nothing may fail once it is committed
    }
    environment_.write([&](WriteTransaction& transaction) {
        for (const MovedSegment& part : merged.parts) {
            const KeyTable& keys = part.from->key_table();
            for (Slot at = 0; at < keys.size(); ++at) {
                const Slot slot = keys.slot(at);
                if (slot >= part.to.size() || part.to[slot] == no_slot) continue;
                if (committed_->find({part.from->id(), slot}) == nullptr) continue;
                transaction.put_key(keys.key(at), RecordId{merged.segment->id(), part.to[slot]}.packed());
            }
        }
        write_state(transaction, state_.applied_sequence, next_segment, *next);
    });
    state_.next_segment = next_segment;
    committed_ = std::move(next);
    const std::lock_guard lock(retired_mutex_);
    if (merged.segment != nullptr) {
        const auto is = [&](const Retired& retired) { return retired.id == merged.segment->id(); };
        retired_.erase(std::remove_if(retired_.begin(), retired_.end(), is), retired_.end());
    }
    for (const MovedSegment& part : merged.parts) retired_.push_back({part.from->id(), part.from});
}

void DirectoryStore::purge() {
    std::vector<std::uint32_t> dead;
    {
        const std::lock_guard lock(retired_mutex_);
        for (const Retired& retired : retired_) {
            if (retired.segment.expired()) dead.push_back(retired.id);
        }
    }
    // After a merge whose commit failed halfway the state record may name its segment. The environment then takes no
    // transaction, and nothing is touched.
    if (!dead.empty()) static_cast<void>(environment_.read());
    std::vector<std::uint32_t> gone;  // first all files, for a full disk has no room to let go of rows
    for (const std::uint32_t id : dead) {
        // Nobody finds it in the state record any more; a reader that did may go on with it as long as it likes.
        const std::optional<FolderRetirement> retirement = try_retire(segment_path(id));
        if (!retirement.has_value()) continue;
        remove_tree(segment_path(id));
        gone.push_back(id);
    }
    for (const std::uint32_t id : gone) {
        environment_.write([&](WriteTransaction& transaction) {
            transaction.erase_rows(RecordId{id, 0}.packed(), RecordId{id, no_slot}.packed());
        });
        const std::lock_guard lock(retired_mutex_);
        const auto is = [&](const Retired& retired) { return retired.id == id; };
        retired_.erase(std::remove_if(retired_.begin(), retired_.end(), is), retired_.end());
    }
}

StoreBytes DirectoryStore::bytes() const {
    StoreBytes bytes;
    bytes.log = log_bytes();
    std::error_code ignored;
    const std::uintmax_t forward = std::filesystem::file_size(path_ / forward_folder / forward_file, ignored);
    if (!ignored) bytes.forward = forward;
    std::vector<std::uint32_t> retired;
    {
        const std::lock_guard lock(retired_mutex_);
        for (const Retired& one : retired_) retired.push_back(one.id);
    }
    for (const std::string& name : names_in(path_ / segments_folder)) {
        const auto is = [&](std::uint32_t id) { return name == segment_name(id); };
        const bool held = std::any_of(retired.begin(), retired.end(), is);
        static_cast<void>(
            attempt([&] { (held ? bytes.retired : bytes.segments) += bytes_in(path_ / segments_folder / name); }));
    }
    return bytes;
}

BackupReport DirectoryStore::backup(const std::filesystem::path& destination, const BackupOptions& options,
                                    const LongCall& call) const {
    return backup_store(path_, identity_, environment_, destination, options, call);
}

}  // namespace kith::inline v0::detail
