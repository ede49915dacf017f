"""What only training needs: the data, where it comes from, how it is judged."""
