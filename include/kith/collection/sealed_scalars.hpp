// kith/collection/sealed_scalars.hpp — indexes and columns of a sealed segment: made when it is sealed, mapped after.
//
// Thread safety: SealedScalars is immutable, and the bytes must outlive it; one thread fills a builder.
#pragma once

#include "kith/collection/scalar_field.hpp"
#include "kith/core/assert.hpp"
#include "kith/core/error.hpp"
#include "kith/core/slot.hpp"
#include "kith/query/scalar.hpp"
#include "kith/scalar/column_builder.hpp"
#include "kith/scalar/column_file.hpp"
#include "kith/scalar/column_scan.hpp"
#include "kith/scalar/question.hpp"
#include "kith/scalar/row_terms.hpp"
#include "kith/scalar/scalar_index.hpp"
#include "kith/scalar/scalar_index_builder.hpp"
#include "kith/schema/field.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kith::inline v0::detail {

/// What is stored of the scalar fields of a segment: an image a field that is indexed, none for the others; and all
/// fields as columns.
template <class Bytes>
struct ScalarImages {
    std::vector<Bytes> indexes;  // by the place of the field in the record
    Bytes columns;
};

class SealedScalarsBuilder {
public:
    /// Of these fields, which are those of a schema in their order.
    explicit SealedScalarsBuilder(std::span<const FieldInfo> fields) : rows_(fields), columns_(scalar_fields(fields)) {
        for (const FieldInfo& field : fields) {
            std::optional<ScalarIndexBuilder>& index = indexes_.emplace_back();
            column_of_.push_back(next_column_);
            if (!has_terms(field.kind)) continue;
            ++next_column_;
            if (field.indexed) {
                index.emplace(field.kind, field.list, ScalarIndexParams{field.suffixes, field.substrings});
            }
        }
    }

    /// Adds the encoded row of the next slot. Throws: Errc::corrupt for what is no row; the builder is of no use then.
    void append(std::string_view row) {
        const auto take = [&](std::size_t field, const MemberTerms& member) {
            if (indexes_[field]) indexes_[field]->append(member);
            columns_.append(column_of_[field], member);
        };
        if (!rows_.read(row, take)) raise(Errc::corrupt, "a row does not hold the fields of its schema");
    }

    /// Adds a slot that nobody sees, of which no row is left.
    void append_nothing() {
        MemberTerms nothing;
        nothing.set_null();
        for (std::size_t field = 0; field < indexes_.size(); ++field) {
            if (indexes_[field]) indexes_[field]->append(nothing);
        }
        for (std::size_t column = 0; column < next_column_; ++column) columns_.append(column, nothing);
    }

    /// What SealedScalars maps. The builder is used up.
    [[nodiscard]] ScalarImages<std::string> finish() {
        ScalarImages<std::string> images;
        for (std::optional<ScalarIndexBuilder>& index : indexes_) {
            images.indexes.push_back(index ? index->finish() : std::string());
            index.reset();
        }
        images.columns = columns_.finish();
        return images;
    }

private:
    static std::vector<ColumnInfo> scalar_fields(std::span<const FieldInfo> fields) {
        std::vector<ColumnInfo> columns;
        for (std::size_t at = 0; at < fields.size(); ++at) {
            if (has_terms(fields[at].kind)) {
                columns.push_back({static_cast<std::uint32_t>(at), fields[at].kind, fields[at].list});
            }
        }
        return columns;
    }

    RowTerms rows_;
    std::vector<std::optional<ScalarIndexBuilder>> indexes_;
    ColumnFileBuilder columns_;
    std::vector<std::size_t> column_of_;  // the column of each field
    std::size_t next_column_ = 0;
};

/// One field of a sealed segment.
class SealedScalarField final : public ScalarField {
public:
    /// Either may be missing. Requires: the column lives as long as this.
    SealedScalarField(std::optional<ScalarIndex> index, const StoredColumn* column) noexcept
        : index_(std::move(index)), column_(column) {}

    [[nodiscard]] bool indexed() const noexcept override { return index_.has_value(); }
    [[nodiscard]] bool has_column() const noexcept override { return column_ != nullptr; }

    [[nodiscard]] SlotEstimate estimate(const ScalarQuestion& question, [[maybe_unused]] Slot count) const override {
        KITH_ASSERT(count == index_->slots());
        return index_->estimate(question);
    }
    void answer(const ScalarQuestion& question, [[maybe_unused]] Slot count,
                std::span<std::uint64_t> words) const override {
        KITH_ASSERT(count == index_->slots());
        index_->answer(question, words);
    }
    [[nodiscard]] double answer_nanoseconds(const ScalarQuestion& question, const SlotEstimate& estimate,
                                            Slot) const override {
        return index_->nanoseconds(question, estimate);
    }
    [[nodiscard]] std::unique_ptr<SlotTest> test(const ScalarQuestion& question,
                                                 [[maybe_unused]] Slot count) const override {
        KITH_ASSERT(count == column_->slots());
        return std::make_unique<Test>(*column_, question);
    }
    [[nodiscard]] Scalar value(Slot slot, [[maybe_unused]] bool length) const override {
        if (column_->null(slot)) return {};
        const StoredColumn::Values values = column_->values_of(slot);
        KITH_ASSERT(length == column_->list());
        if (length) return Scalar::of_unsigned(values.end - values.first);
        if (column_->kind() == FieldKind::json) return Scalar::of_json(column_->text_of(values.first));
        if (column_->kind() == FieldKind::text) return Scalar::of_text(column_->text_of(values.first));
        return scalar_of_number(column_->kind(), column_->number(values.first));
    }
    [[nodiscard]] double test_nanoseconds(double bits, Slot) const noexcept override {
        return ColumnScan::nanoseconds(*column_, bits);
    }

    /// Reads the index whole. Throws: Errc::corrupt, with what is wrong.
    void check() const {
        if (index_) index_->check();
    }

private:
    class Test final : public SlotTest {
    public:
        Test(const StoredColumn& column, const ScalarQuestion& question) : scan_(column, question) {}

        void keep(bool wanted, std::span<std::uint64_t> words) override { scan_.keep(wanted, words); }
        [[nodiscard]] bool holds(Slot slot, bool wanted) const override {
            return wanted ? scan_.satisfies(slot) : scan_.excludes(slot);
        }

    private:
        ColumnScan scan_;
    };

    std::optional<ScalarIndex> index_;
    const StoredColumn* column_;
};

class SealedScalars final : public ScalarFields {
public:
    /// Of these fields, which are those of a schema in their order; a field whose image is empty has no index.
    /// Throws: Errc::corrupt when an image is not whole, or of other fields or another number of slots.
    SealedScalars(std::span<const FieldInfo> fields, const ScalarImages<std::string_view>& images, Slot slots)
        : columns_(images.columns, slots) {
        for (std::size_t at = 0; at < fields.size(); ++at) {
            if (!has_terms(fields[at].kind)) {
                readable_.push_back(nullptr);
                continue;
            }
            const StoredColumn* const column = columns_.find(static_cast<std::uint32_t>(at));
            if (column != nullptr && (column->kind() != fields[at].kind || column->list() != fields[at].list)) {
                raise(Errc::corrupt, "field '" + std::string(fields[at].name) + "' has a column of another kind");
            }
            std::optional<ScalarIndex> index;
            if (at < images.indexes.size() && !images.indexes[at].empty()) {
                index.emplace(images.indexes[at], fields[at].kind, fields[at].list, slots);
            }
            complete_ = complete_ && column != nullptr && has_all_that_is_asked(index, fields[at]);
            fields_.push_back(std::make_unique<SealedScalarField>(std::move(index), column));
            readable_.push_back(fields_.back().get());
        }
    }

    [[nodiscard]] std::span<const ScalarField* const> fields() const noexcept override { return readable_; }

    /// Whether there is every column, and every index with all that the schema asks of it.
    [[nodiscard]] bool complete() const noexcept { return complete_; }

    /// Reads everything. Throws: Errc::corrupt, with what is wrong.
    void check() const {
        for (const auto& field : fields_) field->check();
        columns_.check();
    }

private:
    static bool has_all_that_is_asked(const std::optional<ScalarIndex>& index, const FieldInfo& field) noexcept {
        if (!index) return !field.indexed;
        return (!field.suffixes || index->by_suffix()) && (!field.substrings || index->by_substring());
    }

    ColumnFile columns_;
    bool complete_ = true;
    std::vector<std::unique_ptr<SealedScalarField>> fields_;
    std::vector<const ScalarField*> readable_;  // all fields, with null between
};

}  // namespace kith::inline v0::detail
