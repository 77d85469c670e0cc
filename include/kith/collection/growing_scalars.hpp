// kith/collection/growing_scalars.hpp — indexes and columns of the segment that is being written, beside its rows.
//
// Thread safety: one writer; any number of readers of slots that were published to them (see Snapshot).
#pragma once

#include "kith/collection/scalar_field.hpp"
#include "kith/core/assert.hpp"
#include "kith/core/error.hpp"
#include "kith/core/slot.hpp"
#include "kith/query/scalar.hpp"
#include "kith/scalar/growing_column.hpp"
#include "kith/scalar/growing_index.hpp"
#include "kith/scalar/question.hpp"
#include "kith/scalar/row_terms.hpp"
#include "kith/schema/field.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace kith::inline v0::detail {

/// One field: an index where the schema asks for it, and a column where it holds one number a record.
class GrowingScalarField final : public ScalarField {
public:
    GrowingScalarField(const FieldInfo& field, Slot capacity) {
        if (field.indexed) index_.emplace(field.kind, field.list, capacity);
        if (GrowingColumn::holds(field.kind, field.list)) column_.emplace(field.kind, capacity);
    }

    void append(const MemberTerms& member) {
        if (index_) index_->append(member);
        if (column_) column_->append(member);
    }

    void truncate(Slot size) noexcept {
        if (index_) index_->truncate(size);
        if (column_) column_->truncate(size);
    }

    [[nodiscard]] std::size_t bytes() const noexcept {
        return (index_ ? index_->bytes() : 0) + (column_ ? column_->bytes() : 0);
    }

    [[nodiscard]] bool indexed() const noexcept override { return index_.has_value(); }
    [[nodiscard]] bool has_column() const noexcept override { return column_.has_value(); }

    [[nodiscard]] SlotEstimate estimate(const ScalarQuestion& question, Slot count) const override {
        return index_->estimate(question, count);
    }
    void answer(const ScalarQuestion& question, Slot count, std::span<std::uint64_t> words) const override {
        index_->answer(question, count, words);
    }
    [[nodiscard]] double answer_nanoseconds(const ScalarQuestion& question, const SlotEstimate& estimate,
                                            Slot count) const override {
        return index_->nanoseconds(question, estimate, count);
    }
    [[nodiscard]] std::unique_ptr<SlotTest> test(const ScalarQuestion& question, Slot count) const override {
        return std::make_unique<Test>(*column_, question, count);
    }
    [[nodiscard]] Scalar value(Slot slot, [[maybe_unused]] bool length) const override {
        KITH_ASSERT(!length);
        const GrowingColumn::Block& block = column_->block(slot / column_block);
        if (block.present[slot % column_block] == 0) return {};
        return scalar_of_number(column_->kind(), block.numbers[slot % column_block]);
    }
    [[nodiscard]] double test_nanoseconds(double bits, Slot count) const noexcept override {
        return GrowingColumnScan::nanoseconds(count, bits);
    }

private:
    class Test final : public SlotTest {
    public:
        Test(const GrowingColumn& column, const ScalarQuestion& question, Slot count)
            : scan_(column, question, count) {}

        void keep(bool wanted, std::span<std::uint64_t> words) override { scan_.keep(wanted, words); }
        [[nodiscard]] bool holds(Slot slot, bool wanted) const override {
            return wanted ? scan_.satisfies(slot) : scan_.excludes(slot);
        }

    private:
        GrowingColumnScan scan_;
    };

    std::optional<GrowingScalarIndex> index_;
    std::optional<GrowingColumn> column_;
};

class GrowingScalars final : public ScalarFields {
public:
    /// Of these fields, which are those of a schema in their order.
    GrowingScalars(std::span<const FieldInfo> fields, Slot capacity) : rows_(fields) {
        for (const FieldInfo& field : fields) {
            fields_.push_back(has_terms(field.kind) ? std::make_unique<GrowingScalarField>(field, capacity) : nullptr);
            readable_.push_back(fields_.back().get());
        }
    }

    [[nodiscard]] Slot size() const noexcept { return size_; }

    /// Memory beside the rows.
    [[nodiscard]] std::size_t bytes() const noexcept {
        std::size_t bytes = 0;
        for (const auto& field : fields_) bytes += field == nullptr ? 0 : field->bytes();
        return bytes;
    }

    /// Adds the encoded row of the next slot. Requires: size() is below the capacity.
    /// Throws: std::bad_alloc, or Errc::corrupt for what is no row; nothing was added then.
    void append(std::string_view row) {
        struct Undo {
            GrowingScalars* scalars;
            ~Undo() {
                if (scalars != nullptr) scalars->truncate_fields(scalars->size_);
            }
        } undo{this};
        const auto take = [&](std::size_t field, const MemberTerms& member) {
            if (fields_[field] != nullptr) fields_[field]->append(member);
        };
        if (!rows_.read(row, take)) raise(Errc::corrupt, "a row does not hold the fields of its schema");
        undo.scalars = nullptr;
        ++size_;
    }

    /// Forgets the slots from `size` on. Requires: none of them was published.
    void truncate(Slot size) noexcept {
        if (size >= size_) return;
        truncate_fields(size);
        size_ = size;
    }

    [[nodiscard]] std::span<const ScalarField* const> fields() const noexcept override { return readable_; }

private:
    void truncate_fields(Slot size) noexcept {
        for (const auto& field : fields_) {
            if (field != nullptr) field->truncate(size);
        }
    }

    RowTerms rows_;
    std::vector<std::unique_ptr<GrowingScalarField>> fields_;
    std::vector<const ScalarField*> readable_;  // the same
    Slot size_ = 0;                             // the writer's count; readers use their snapshot's
};

}  // namespace kith::inline v0::detail
