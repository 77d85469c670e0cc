// src/collection/segment_files.cpp — opens and maps the files of a segment.
#include "collection/segment_files.hpp"

#include "collection/layout.hpp"
#include "collection/stored_vectors.hpp"

#include "kith/core/error.hpp"

#include <utility>

namespace kith::inline v0::detail {

SegmentFiles::SegmentFiles(const std::filesystem::path& folder, const Identity& identity, std::uint32_t segment,
                           const EngineSchema& schema, const std::shared_ptr<BlockCache>& cache)
    : folder_(folder) {
    const auto open = [&](auto& files, std::size_t field, const auto& make) {
        for (const Part part : {Part::rows, Part::graph}) {
            const VectorFieldType& type = schema.vectors[field];
            const std::filesystem::path path = folder / part_name(type.name, part);
            std::error_code error;
            const bool is_missing = part == Part::graph && !std::filesystem::exists(path, error) && !error;
            files.push_back(is_missing ? nullptr : make(path, part_tag(identity, segment, field, part)));
            const bool is_foreign = part == Part::graph && !is_missing && files.back()->maker() != type.index;
            if (is_foreign) files.back().reset();
        }
    };
    for (std::size_t field = 0; field < schema.vectors.size(); ++field) {
        if (cache == nullptr) {
            open(mapped_, field, [](const std::filesystem::path& path, const SegmentFileTag& tag) {
                return std::make_unique<SegmentFile>(path, tag);
            });
        } else {
            open(cached_, field, [&](const std::filesystem::path& path, const SegmentFileTag& tag) {
                return std::make_unique<CachedFile>(cache, path, tag);
            });
        }
    }
    keys_.emplace(folder / keys_name, keys_tag(identity, segment));
    const auto is_there = [&](const std::string& name) {
        std::error_code error;
        return std::filesystem::exists(folder / name, error) || error;
    };
    if (is_there(std::string(columns_name))) columns_.emplace(folder / columns_name, columns_tag(identity, segment));
    for (std::size_t field = 0; field < schema.fields.size(); ++field) {
        const std::string name = index_name(schema.fields[field].name);
        const bool wanted = schema.fields[field].indexed && is_there(name);
        scalar_indexes_.push_back(
            wanted ? std::make_unique<SegmentFile>(folder / name, index_tag(identity, segment, field)) : nullptr);
    }
}

bool SegmentFiles::has_graph(std::size_t field) const noexcept {
    return cached_.empty() ? mapped_[2 * field + 1] != nullptr : cached_[2 * field + 1] != nullptr;
}

ImageBytes SegmentFiles::image(std::size_t file) const {
    return cached_.empty() ? ImageBytes(mapped_[file]->payload()) : cached_[file]->image();
}

void SegmentFiles::check(std::size_t part) const {
    if (part == Segment::keys_part) return keys_->verify();
    for (const std::size_t file : {2 * part, 2 * part + 1}) {
        if (cached_.empty()) {
            if (mapped_[file] != nullptr) mapped_[file]->verify();
        } else if (cached_[file] != nullptr) {
            cached_[file]->raise_damage();
        }
    }
}

void SegmentFiles::check_vector(std::size_t field, Slot slot, Slot count) const {
    if (!cached_.empty()) return cached_[2 * field]->raise_damage();
    const SegmentFile& rows = *mapped_[2 * field];
    // Opening found the payload to be the header and `count` rows.
    const std::size_t row_bytes = (rows.payload().size() - StoredVectors::header_bytes) / count;
    rows.verify(StoredVectors::header_bytes + slot * row_bytes, row_bytes);
}

/// Raises Errc::corrupt or Errc::io for what is damaged in the column, or in what says where it is.
void SegmentFiles::check_column(const ColumnFile& file, const StoredColumn& column) const {
    const auto check = [&](std::string_view bytes) {
        const char* const begin = reinterpret_cast<const char*>(columns_->payload().data());
        if (!bytes.empty()) columns_->verify(static_cast<std::size_t>(bytes.data() - begin), bytes.size());
    };
    for (const std::string_view bytes : file.directory()) check(bytes);
    for (const std::string_view bytes : column.parts()) check(bytes);
}

std::unique_ptr<const SealedScalars> SegmentFiles::scalars(const EngineSchema& schema, Slot count) const {
    if (!columns_.has_value()) return nullptr;
    const auto text_of = [](const SegmentFile& file) {
        return std::string_view(reinterpret_cast<const char*>(file.payload().data()), file.payload().size());
    };
    ScalarImages<std::string_view> images;
    for (const auto& index : scalar_indexes_) {
        images.indexes.push_back(index == nullptr ? std::string_view() : text_of(*index));
    }
    images.columns = text_of(*columns_);
    // One by one, so that what cannot be read is named.
    naming((folder_ / columns_name).string(), [&] { static_cast<void>(ColumnFile(images.columns, count)); });
    for (std::size_t field = 0; field < schema.fields.size(); ++field) {
        if (images.indexes[field].empty()) continue;
        const FieldInfo& info = schema.fields[field];
        naming((folder_ / index_name(info.name)).string(),
               [&] { static_cast<void>(ScalarIndex(images.indexes[field], info.kind, info.list, count)); });
    }
    const ScalarChecks checks{
        [this](std::size_t field) { scalar_indexes_[field]->verify(); },
        [this](const ColumnFile& file, const StoredColumn& column) { check_column(file, column); }};
    return std::make_unique<const SealedScalars>(schema.fields, images, count, checks);
}

std::shared_ptr<Segment> SegmentFiles::map(std::shared_ptr<SegmentFiles> files, std::uint32_t segment, Slot count,
                                           const EngineSchema& schema) {
    std::vector<std::unique_ptr<VectorIndex>> indexes;
    KeyTable keys;
    std::unique_ptr<const SealedScalars> scalars;
    bool outdated = false;
    const std::exception_ptr failed = attempt([&] {
        for (std::size_t field = 0; field < schema.vectors.size(); ++field) {
            const VectorFieldType& type = schema.vectors[field];
            naming((files->folder_ / part_name(type.name, Part::rows)).string() + " and .graph", [&] {
                const ImageBytes rows = files->image(2 * field);
                outdated = outdated || !files->has_graph(field);
                indexes.push_back(files->has_graph(field) ? type.map(type.dim, count, rows, files->image(2 * field + 1))
                                                          : type.map_flat(type.dim, count, rows, {}));
            });
        }
        naming((files->folder_ / keys_name).string(), [&] { keys = KeyTable(files->keys_->payload()); });
        scalars = files->scalars(schema, count);
    });
    if (failed != nullptr) {
        // What is damaged says so by file and offset; what is right, and cannot be read, is of another version.
        for (std::size_t field = 0; field < schema.vectors.size(); ++field) files->check(field);
        files->check(Segment::keys_part);
        if (files->columns_.has_value()) files->columns_->verify();
        for (const auto& index : files->scalar_indexes_) {
            if (index != nullptr) index->verify();
        }
        std::rethrow_exception(failed);
    }
    const bool incomplete = outdated || scalars == nullptr || !scalars->complete();
    // Opening reads what says how the files are made up; the rest is checked when it is first needed.
    Segment::Check check = [files, count](std::size_t part, Slot slot) {
        slot == no_slot ? files->check(part) : files->check_vector(part, slot, count);
    };
    return std::make_shared<Segment>(segment, count, std::move(indexes), keys, std::move(scalars), std::move(check),
                                     outdated, incomplete);
}

}  // namespace kith::inline v0::detail
