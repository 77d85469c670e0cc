// src/scalar/column_check.cpp — reads columns whole, and says what of them is not as their writer leaves it.
#include "kith/core/bytes.hpp"
#include "kith/scalar/column_file.hpp"

#include <cstddef>
#include <string>

namespace kith::inline v0::detail {

void ColumnFile::check() const {
    for (std::size_t at = 0; at < columns_.size(); ++at) {
        if (find(columns_[at].field()) != &columns_[at]) columns_[at].raise_damaged("is there twice");
        columns_[at].check();
    }
}

void StoredColumn::check() const {
    if (slots_ % 64 != 0 && (null_word(slots_ / 64) >> (slots_ % 64)) != 0) {
        raise_damaged("has a null in a slot that does not exist");
    }
    if (form_ == ColumnForm::bits && values_ % 64 != 0 && (bits(values_ / 64) >> (values_ % 64)) != 0) {
        raise_damaged("has bits behind its last value");
    }
    if (list_) check_lists();
    if (holds_text(kind_)) check_texts();
}

void StoredColumn::check_lists() const {
    for (Slot slot = 0; slot < slots_; ++slot) {
        const Values values = values_of(slot);
        if (null(slot) && values.first != values.end)
            raise_damaged("has elements in slot " + std::to_string(slot) + ", which is null");
    }
}

void StoredColumn::check_texts() const {
    const std::uint64_t texts = form_ == ColumnForm::texts ? values_ : distinct_;
    std::string_view before;
    for (std::uint64_t number = 0; number < texts; ++number) {
        const std::string_view one = text(number);
        if (form_ == ColumnForm::codes && number > 0 && one <= before) {
            raise_damaged("has distinct texts that are not in order, at " + std::to_string(number));
        }
        before = one;
    }
    if (form_ != ColumnForm::codes) return;
    for (std::uint64_t value = 0; value < values_; ++value) {
        if (number(value) >= distinct_) raise_damaged("has a code of no text, at value " + std::to_string(value));
    }
}

}  // namespace kith::inline v0::detail
